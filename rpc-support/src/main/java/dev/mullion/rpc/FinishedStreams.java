package dev.mullion.rpc;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http2.Http2ConnectionAdapter;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2LifecycleManager;
import io.netty.handler.codec.http2.Http2Stream;

/**
 * Resets a stream whose status has been sent with {@code NO_ERROR} in place of {@code CANCEL}, as HTTP/2
 * has it for a client that still sends: those that stand on gRPC's core in C, such as Python's, would
 * take the {@code CANCEL} for what has ended the call, and drop the status.
 */
record FinishedStreams(Http2ConnectionHandler handler) implements Http2LifecycleManager {
  /** Sees to the streams of a connection. Before there is one, the handler sees to them itself. */
  static void of(Http2ConnectionHandler handler) {
    FinishedStreams finished = new FinishedStreams(handler);
    handler.connection().addListener(new Http2ConnectionAdapter() {
      @Override
      public void onStreamAdded(Http2Stream stream) {
        handler.encoder().lifecycleManager(finished);
      }
    });
  }

  @Override
  public ChannelFuture resetStream(
      ChannelHandlerContext context, int streamId, long errorCode, ChannelPromise promise) {
    boolean cancelled = errorCode == Http2Error.CANCEL.code() && isFinished(streamId);
    return handler.resetStream(
        context, streamId, cancelled ? Http2Error.NO_ERROR.code() : errorCode, promise);
  }

  private boolean isFinished(int streamId) {
    Http2Stream stream = handler.connection().stream(streamId);
    return stream != null && stream.state() == Http2Stream.State.HALF_CLOSED_LOCAL;
  }

  @Override
  public void closeStreamLocal(Http2Stream stream, ChannelFuture future) {
    handler.closeStreamLocal(stream, future);
  }

  @Override
  public void closeStreamRemote(Http2Stream stream, ChannelFuture future) {
    handler.closeStreamRemote(stream, future);
  }

  @Override
  public void closeStream(Http2Stream stream, ChannelFuture future) {
    handler.closeStream(stream, future);
  }

  @Override
  public ChannelFuture goAway(
      ChannelHandlerContext context,
      int lastStreamId,
      long errorCode,
      ByteBuf debugData,
      ChannelPromise promise) {
    return handler.goAway(context, lastStreamId, errorCode, debugData, promise);
  }

  @Override
  public void onError(ChannelHandlerContext context, boolean outbound, Throwable cause) {
    handler.onError(context, outbound, cause);
  }
}
