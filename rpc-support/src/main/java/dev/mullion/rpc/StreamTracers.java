package dev.mullion.rpc;

import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerStreamTracer;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Tells a server's tracers of each call exactly once that it has begun, and exactly once that it
 * has ended. gRPC makes tracers before it looks at a call's headers, and never closes those of a
 * call that it then cannot accept, such as one with a malformed {@code grpc-timeout}. So a call
 * begins here when gRPC has accepted it, and ends when gRPC says so, when it is cut, or when its
 * HTTP/2 stream is closed, whichever comes first. The tracers of others, such as those of
 * OpenTelemetry, are told here for the same reason.
 */
final class StreamTracers extends ServerStreamTracer.Factory {
  private static final ServerStreamTracer[] NONE = {};

  private final CallRegistry registry;
  private final List<ServerStreamTracer.Factory> observers;

  StreamTracers(CallRegistry registry, List<ServerStreamTracer.Factory> observers) {
    this.registry = registry;
    this.observers = List.copyOf(observers);
  }

  @Override
  public ServerStreamTracer newServerStreamTracer(String fullMethodName, Metadata headers) {
    PeerStream stream = PeerConnection.currentStream();
    TracedStream tracked = new TracedStream(fullMethodName, headers, stream);
    if (stream != null) {
      stream.belongsTo(tracked);
    }
    return tracked;
  }

  /** A stream that has become a call, or may do so. */
  final class TracedStream extends ServerStreamTracer {
    private final String method;
    private final Metadata headers;
    private final @Nullable PeerStream stream;
    private volatile ServerStreamTracer[] observed = NONE;
    private volatile boolean over;

    // Guarded by this, under which no tracer is called: they are others' code.
    private @Nullable OpenCall call;
    private boolean isObserved;
    private @Nullable Status closed;

    private TracedStream(String method, Metadata headers, @Nullable PeerStream stream) {
      this.method = method;
      this.headers = headers;
      this.stream = stream;
    }

    /** In one process a client may cancel while its call begins, on another thread. */
    private OpenCall begun() {
      OpenCall begun;
      synchronized (this) {
        OpenCall before = call;
        if (before != null) {
          return before;
        }
        // What the peer has not taken stays with it, in one process.
        begun = registry.begin(method, stream, stream == null ? this::end : stream::cut);
        call = begun;
      }
      ServerStreamTracer[] made = observers.isEmpty() ? NONE : observers();
      Status before;
      synchronized (this) {
        observed = made;
        isObserved = true;
        before = closed;
      }
      if (before != null) {
        tellClosed(made, before);
      }
      return begun;
    }

    private ServerStreamTracer[] observers() {
      List<ServerStreamTracer> made = new ArrayList<>(observers.size());
      for (ServerStreamTracer.Factory each : observers) {
        guard(each, () -> made.add(each.newServerStreamTracer(method, headers)));
      }
      return made.toArray(NONE);
    }

    /** Returns null until gRPC has accepted it. */
    synchronized @Nullable OpenCall call() {
      return call;
    }

    boolean isOver() {
      return over;
    }

    /** Ends it unless it has ended. */
    void end(Status status) {
      synchronized (this) {
        if (over) {
          return;
        }
        over = true;
      }
      try {
        begun().streamClosed(status);
      } finally {
        boolean toTell;
        synchronized (this) {
          closed = status;
          toTell = isObserved;
        }
        if (toTell) {
          tellClosed(observed, status);
        }
      }
    }

    private void tellClosed(ServerStreamTracer[] tracers, Status status) {
      for (ServerStreamTracer each : tracers) {
        guard(each, () -> each.streamClosed(status));
      }
    }

    /** What they throw changes no call. */
    private void guard(Object observer, Runnable told) {
      ObserverFailures.guard(registry.counters.observersFailed, observer, told);
    }

    /**
     * Called when its HTTP/2 stream is closed, and gRPC has not said why. Returns whether it has
     * become a call.
     */
    boolean abandoned(Status status) {
      synchronized (this) {
        if (call == null) {
          over = true;
          return false;
        }
      }
      end(status);
      return true;
    }

    @Override
    public Context filterContext(Context context) {
      Context filtered = begun().in(context);
      for (ServerStreamTracer each : observed) {
        filtered = filtered(filtered, each);
      }
      return filtered;
    }

    private Context filtered(Context context, ServerStreamTracer observer) {
      try {
        return observer.filterContext(context);
      } catch (Throwable thrown) {
        ObserverFailures.failed(registry.counters.observersFailed, observer, thrown);
        return context;
      }
    }

    @Override
    public void serverCallStarted(ServerCallInfo<?, ?> info) {
      for (ServerStreamTracer each : observed) {
        each.serverCallStarted(info);
      }
    }

    @Override
    public void inboundMessage(int sequence) {
      for (ServerStreamTracer each : observed) {
        each.inboundMessage(sequence);
      }
    }

    @Override
    public void inboundMessageRead(int sequence, long wireSize, long uncompressedSize) {
      for (ServerStreamTracer each : observed) {
        each.inboundMessageRead(sequence, wireSize, uncompressedSize);
      }
    }

    @Override
    public void inboundWireSize(long bytes) {
      for (ServerStreamTracer each : observed) {
        each.inboundWireSize(bytes);
      }
    }

    @Override
    public void inboundUncompressedSize(long bytes) {
      for (ServerStreamTracer each : observed) {
        each.inboundUncompressedSize(bytes);
      }
    }

    @Override
    public void outboundMessage(int sequence) {
      for (ServerStreamTracer each : observed) {
        each.outboundMessage(sequence);
      }
    }

    @Override
    public void outboundMessageSent(int sequence, long wireSize, long uncompressedSize) {
      if (stream != null) {
        stream.framed(wireSize);
      }
      for (ServerStreamTracer each : observed) {
        each.outboundMessageSent(sequence, wireSize, uncompressedSize);
      }
    }

    @Override
    public void outboundWireSize(long bytes) {
      for (ServerStreamTracer each : observed) {
        each.outboundWireSize(bytes);
      }
    }

    @Override
    public void outboundUncompressedSize(long bytes) {
      for (ServerStreamTracer each : observed) {
        each.outboundUncompressedSize(bytes);
      }
    }

    @Override
    public void streamClosed(Status status) {
      end(status);
    }
  }
}
