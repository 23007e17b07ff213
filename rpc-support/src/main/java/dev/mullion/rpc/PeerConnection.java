package dev.mullion.rpc;

import io.grpc.InternalMetadata;
import io.grpc.InternalStatus;
import io.grpc.Metadata;
import io.grpc.Status;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2ConnectionAdapter;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2FrameListener;
import io.netty.handler.codec.http2.Http2FrameListenerDecorator;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2Stream;
import io.netty.util.AsciiString;
import io.netty.util.concurrent.FastThreadLocal;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A connection of a server below gRPC, at the level of frames. It maps HTTP/2 streams to calls,
 * counts the peer's resets, and tracks the bytes pending for the peer. Used only by its event loop
 * unless stated otherwise.
 */
final class PeerConnection {
  /**
   * The stream whose headers the current event loop passes to gRPC, which creates a tracer for
   * them.
   */
  private static final FastThreadLocal<@Nullable PeerStream> CURRENT = new FastThreadLocal<>();

  private final Http2ConnectionHandler handler;
  private final RpcCounters counters;
  private final PendingReplies replies;
  private final ResetLimit resets;
  private final ResetLimit streamErrors;
  private final Http2Connection.PropertyKey key;
  private final AtomicLong pending = new AtomicLong();
  private volatile @Nullable ChannelHandlerContext context;

  private PeerConnection(
      Http2ConnectionHandler handler,
      RpcCounters counters,
      PendingReplies replies,
      ConnectionLimits limits) {
    this.handler = handler;
    this.counters = counters;
    this.replies = replies;
    this.resets = limits.newResetLimit("too_many_rststreams");
    this.streamErrors = limits.newResetLimit("too_many_stream_errors");
    this.key = handler.connection().newKey();
  }

  /** Watches a connection that is about to start. */
  static void watch(
      Http2ConnectionHandler handler,
      RpcCounters counters,
      PendingReplies replies,
      ConnectionLimits limits) {
    PeerConnection connection = new PeerConnection(handler, counters, replies, limits);
    Http2Connection http2 = handler.connection();
    http2
        .remote()
        .flowController(new CountedWrites(http2.remote().flowController(), connection.key));
    http2.addListener(connection.new Streams());
    handler.decoder().frameListener(connection.new Frames(handler.decoder().frameListener()));
    FinishedStreams.of(handler, connection);
  }

  /** Returns null on a thread that passes no headers to gRPC, such as for in-process calls. */
  static @Nullable PeerStream currentStream() {
    return CURRENT.get();
  }

  /** May be used by any thread. */
  AtomicLong pending() {
    return pending;
  }

  @Nullable
  PeerStream find(@Nullable Http2Stream stream) {
    return stream == null ? null : stream.getProperty(key);
  }

  /** May be called from any thread. */
  void execute(Runnable task) {
    ChannelHandlerContext loop = context;
    try {
      if (loop != null) {
        loop.executor().execute(task);
        return;
      }
    } catch (RejectedExecutionException shutDown) {
      // Nothing else runs on the loop then.
    }
    task.run();
  }

  /** Returns whether the stream has not been closed. */
  boolean has(Http2Stream stream) {
    return handler.connection().stream(stream.id()) == stream;
  }

  RpcCounters counters() {
    return counters;
  }

  /** Returns whether frames are pending that the peer has not read. */
  boolean hasUnread(Http2Stream stream) {
    return handler.connection().remote().flowController().hasFlowControlled(stream);
  }

  /**
   * Sends the trailers now, drops the frames that are pending before them, and resets the stream.
   */
  void cut(PeerStream cut, Status status) {
    ChannelHandlerContext loop = context;
    Http2Stream stream = cut.stream();
    if (loop == null || !has(stream)) {
      return;
    }
    counters.repliesDropped.increment();
    if (stream.isHeadersSent()) {
      handler
          .encoder()
          .frameWriter()
          .writeHeaders(loop, stream.id(), trailers(status), 0, true, loop.newPromise());
    }
    handler
        .encoder()
        .writeRstStream(loop, stream.id(), Http2Error.NO_ERROR.code(), loop.newPromise());
    handler.flush(loop);
  }

  private static Http2Headers trailers(Status status) {
    Metadata trailers = new Metadata();
    trailers.put(InternalStatus.CODE_KEY, status);
    String description = StatusText.bounded(status, StatusText.MAX).getDescription();
    if (description != null) {
      trailers.put(InternalStatus.MESSAGE_KEY, description);
    }
    byte[][] serialized = InternalMetadata.serialize(trailers);
    Http2Headers headers = new DefaultHttp2Headers(false, serialized.length / 2);
    for (int i = 0; i < serialized.length; i += 2) {
      headers.add(new AsciiString(serialized[i], false), new AsciiString(serialized[i + 1], false));
    }
    return headers;
  }

  /** Counts a stream that is reset because of an error of the peer. */
  void streamError(ChannelHandlerContext loop) {
    Http2Exception tooMany = streamErrors.isExceeded();
    if (tooMany != null) {
      // After what Netty is doing now.
      execute(() -> {
        handler.onError(loop, true, tooMany);
        handler.flush(loop);
      });
    }
  }

  private final class Streams extends Http2ConnectionAdapter {
    @Override
    public void onStreamClosed(Http2Stream stream) {
      PeerStream closed = find(stream);
      if (closed != null) {
        closed.closed();
      }
    }
  }

  private final class Frames extends Http2FrameListenerDecorator {
    private boolean begun;

    Frames(Http2FrameListener listener) {
      super(listener);
    }

    /**
     * Settings are the first frame of each peer. The listener of the close runs even if the
     * connection is already closed.
     */
    @Override
    public void onSettingsRead(ChannelHandlerContext loop, Http2Settings settings)
        throws Http2Exception {
      if (!begun) {
        begun = true;
        if (!loop.channel().isOpen()) {
          // gRPC has reported the end, and must not report the begin afterwards.
          return;
        }
        context = loop;
        replies.opened(PeerConnection.this);
        loop.channel().closeFuture().addListener(closed -> replies.closed(PeerConnection.this));
      }
      super.onSettingsRead(loop, settings);
    }

    @Override
    public void onHeadersRead(
        ChannelHandlerContext loop,
        int streamId,
        Http2Headers headers,
        int streamDependency,
        short weight,
        boolean exclusive,
        int padding,
        boolean endStream)
        throws Http2Exception {
      Http2Stream stream = handler.connection().stream(streamId);
      if (stream == null || stream.getProperty(key) != null) {
        super.onHeadersRead(
            loop, streamId, headers, streamDependency, weight, exclusive, padding, endStream);
        return;
      }
      PeerStream begins = new PeerStream(PeerConnection.this, replies, stream);
      stream.setProperty(key, begins);
      CURRENT.set(begins);
      try {
        super.onHeadersRead(
            loop, streamId, headers, streamDependency, weight, exclusive, padding, endStream);
      } finally {
        CURRENT.remove();
      }
    }

    /** Counts only resets of existing streams whose calls the server has not ended itself. */
    @Override
    public void onRstStreamRead(ChannelHandlerContext loop, int streamId, long errorCode)
        throws Http2Exception {
      Http2Stream stream = handler.connection().stream(streamId);
      PeerStream reset = find(stream);
      if (stream != null
          && stream.state() != Http2Stream.State.HALF_CLOSED_LOCAL
          && !stream.isResetSent()
          && (reset == null || !reset.isEndedHere())) {
        Http2Exception tooMany = resets.isExceeded();
        if (tooMany != null) {
          throw tooMany;
        }
      }
      super.onRstStreamRead(loop, streamId, errorCode);
    }
  }
}
