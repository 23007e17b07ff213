package dev.mullion.rpc;

import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerStreamTracer;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reports the begin and the end of each call to a server's tracers, each exactly once. gRPC creates
 * tracers before it checks a call's headers, and never closes the tracers of a call that it then
 * rejects, such as one with a malformed {@code grpc-timeout}. So here a call begins when gRPC has
 * accepted it. It ends when gRPC reports the end, when it is cut, or when its HTTP/2 stream is
 * closed, whichever comes first. Tracers of other libraries, such as OpenTelemetry, are notified
 * here for the same reason.
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

  /** A stream that is a call, or may become one. */
  final class TracedStream extends ServerStreamTracer {
    private final String method;
    private final Metadata headers;
    private final @Nullable PeerStream stream;
    private volatile ServerStreamTracer[] observed = NONE;
    private volatile boolean over;

    // Guarded by this. No tracer is called under the lock, since tracers are foreign code.
    private @Nullable OpenCall call;
    private boolean isObserved;
    private @Nullable Status closed;

    private TracedStream(String method, Metadata headers, @Nullable PeerStream stream) {
      this.method = method;
      this.headers = headers;
      this.stream = stream;
    }

    /** An in-process client may cancel on another thread while its call begins. */
    private OpenCall begun() {
      OpenCall begun;
      synchronized (this) {
        OpenCall before = call;
        if (before != null) {
          return before;
        }
        // An in-process peer keeps what it has not read.
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
        notifyClosed(made, before);
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

    /** Returns null until gRPC has accepted the call. */
    synchronized @Nullable OpenCall call() {
      return call;
    }

    boolean isOver() {
      return over;
    }

    /** Ends the call unless it has ended. */
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
        boolean announced;
        synchronized (this) {
          closed = status;
          announced = isObserved;
        }
        if (announced) {
          notifyClosed(observed, status);
        }
      }
    }

    private void notifyClosed(ServerStreamTracer[] tracers, Status status) {
      for (ServerStreamTracer each : tracers) {
        guard(each, () -> each.streamClosed(status));
      }
    }

    /** Exceptions of tracers do not affect calls. */
    private void guard(Object observer, Runnable action) {
      ObserverFailures.guard(registry.counters.observersFailed, observer, action);
    }

    /**
     * Called when the HTTP/2 stream is closed before gRPC has reported an end. Returns whether the
     * stream has become a call.
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
