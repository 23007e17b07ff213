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
 * HTTP/2 stream is closed, whichever comes first.
 */
final class StreamTracers extends ServerStreamTracer.Factory {
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
    private @Nullable OpenCall call;
    private List<ServerStreamTracer> observed = List.of();
    private volatile boolean over;

    private TracedStream(String method, Metadata headers, @Nullable PeerStream stream) {
      this.method = method;
      this.headers = headers;
      this.stream = stream;
    }

    /** In one process a client may cancel while its call begins, on another thread. */
    private synchronized OpenCall begun() {
      OpenCall before = call;
      if (before != null) {
        return before;
      }
      // What the peer has not taken stays with it, in one process.
      OpenCall begun = registry.begin(method, stream, stream == null ? this::end : stream::cut);
      call = begun;
      List<ServerStreamTracer> made = new ArrayList<>(observers.size());
      observers.forEach(each -> made.add(each.newServerStreamTracer(method, headers)));
      observed = made;
      return begun;
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
      OpenCall ended;
      synchronized (this) {
        if (over) {
          return;
        }
        ended = begun();
        over = true;
      }
      try {
        ended.streamClosed(status);
      } finally {
        for (ServerStreamTracer each : observed) {
          each.streamClosed(status);
        }
      }
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
        filtered = each.filterContext(filtered);
      }
      return filtered;
    }

    @Override
    public void serverCallStarted(ServerCallInfo<?, ?> info) {
      for (ServerStreamTracer each : observed) {
        each.serverCallStarted(info);
      }
    }

    @Override
    public void inboundMessageRead(int sequence, long wireSize, long uncompressedSize) {
      for (ServerStreamTracer each : observed) {
        each.inboundMessageRead(sequence, wireSize, uncompressedSize);
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
    public void streamClosed(Status status) {
      end(status);
    }
  }
}
