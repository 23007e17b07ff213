package dev.mullion.rpc;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http2.Http2ConnectionAdapter;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2LifecycleManager;
import io.netty.handler.codec.http2.Http2Stream;

/**
 * Resets a stream whose status has been sent with {@code NO_ERROR} instead of {@code CANCEL}, as
 * HTTP/2 specifies for a client that is still sending. Clients built on gRPC's C core, such as
 * Python's, would take the {@code CANCEL} as the end of the call, and drop the status.
 */
record FinishedStreams(Http2ConnectionHandler handler, PeerConnection peer)
    implements Http2LifecycleManager {
  /**
   * Takes over the streams of a connection once its first stream is added; until then the handler
   * manages them.
   */
  static void of(Http2ConnectionHandler handler, PeerConnection peer) {
    FinishedStreams finished = new FinishedStreams(handler, peer);
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
    Http2Stream stream = handler.connection().stream(streamId);
    long code = errorCode;
    if (errorCode != Http2Error.CANCEL.code() && errorCode != Http2Error.NO_ERROR.code()) {
      peer.streamError(context);
    } else if (stream == null) {
      // The stream has been closed meanwhile.
      return promise.setSuccess();
    } else if (stream.state() == Http2Stream.State.HALF_CLOSED_LOCAL) {
      code = Http2Error.NO_ERROR.code();
    }
    ChannelFuture written = handler.resetStream(context, streamId, code, promise);
    if (stream != null) {
      // Pending frames must not wait until a peer that does not read receives the reset.
      stream.close();
    }
    return written;
  }

  @Override
  public void closeStreamLocal(Http2Stream stream, ChannelFuture future) {
    PeerStream ended = peer.find(stream);
    if (ended != null) {
      ended.endWritten();
    }
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
    if (!outbound || !isDropped(cause)) {
      handler.onError(context, outbound, cause);
    }
  }

  /**
   * Returns whether the error is that of a message dropped with its stream after the end of the
   * call.
   */
  private boolean isDropped(Throwable cause) {
    if (!(cause instanceof Http2Exception.StreamException dropped)) {
      return false;
    }
    PeerStream stream = peer.find(handler.connection().stream(dropped.streamId()));
    return stream != null && stream.isOver();
  }
}
