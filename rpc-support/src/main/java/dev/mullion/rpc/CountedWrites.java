package dev.mullion.rpc;

import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2RemoteFlowController;
import io.netty.handler.codec.http2.Http2Stream;
import org.jspecify.annotations.Nullable;

/**
 * Notifies streams how many of the bytes pending for the peer's flow-control windows have been
 * sent.
 */
record CountedWrites(Http2RemoteFlowController controller, Http2Connection.PropertyKey key)
    implements Http2RemoteFlowController {
  private record Counted(FlowControlled frame, PeerStream stream) implements FlowControlled {
    @Override
    public void write(ChannelHandlerContext context, int allowedBytes) {
      int before = frame.size();
      frame.write(context, allowedBytes);
      int taken = before - frame.size();
      if (taken > 0) {
        stream.taken(taken);
      }
    }

    @Override
    public int size() {
      return frame.size();
    }

    @Override
    public void error(@Nullable ChannelHandlerContext context, Throwable cause) {
      frame.error(context, cause);
    }

    @Override
    public void writeComplete() {
      frame.writeComplete();
    }

    @Override
    public boolean merge(ChannelHandlerContext context, FlowControlled next) {
      return frame.merge(context, next instanceof Counted counted ? counted.frame() : next);
    }
  }

  @Override
  public void addFlowControlled(Http2Stream stream, FlowControlled payload) {
    PeerStream counted = stream.getProperty(key);
    if (counted == null) {
      controller.addFlowControlled(stream, payload);
      return;
    }
    controller.addFlowControlled(stream, new Counted(payload, counted));
    counted.queued();
  }

  @Override
  public ChannelHandlerContext channelHandlerContext() {
    return controller.channelHandlerContext();
  }

  @Override
  public void channelHandlerContext(ChannelHandlerContext context) throws Http2Exception {
    controller.channelHandlerContext(context);
  }

  @Override
  public boolean hasFlowControlled(Http2Stream stream) {
    return controller.hasFlowControlled(stream);
  }

  @Override
  public void writePendingBytes() throws Http2Exception {
    controller.writePendingBytes();
  }

  @Override
  public void listener(Listener listener) {
    controller.listener(listener);
  }

  @Override
  public boolean isWritable(Http2Stream stream) {
    return controller.isWritable(stream);
  }

  @Override
  public void channelWritabilityChanged() throws Http2Exception {
    controller.channelWritabilityChanged();
  }

  @Override
  public void updateDependencyTree(
      int childStreamId, int parentStreamId, short weight, boolean exclusive) {
    controller.updateDependencyTree(childStreamId, parentStreamId, weight, exclusive);
  }

  @Override
  public void initialWindowSize(int newWindowSize) throws Http2Exception {
    controller.initialWindowSize(newWindowSize);
  }

  @Override
  public int initialWindowSize() {
    return controller.initialWindowSize();
  }

  @Override
  public int windowSize(Http2Stream stream) {
    return controller.windowSize(stream);
  }

  @Override
  public void incrementWindowSize(Http2Stream stream, int delta) throws Http2Exception {
    controller.incrementWindowSize(stream, delta);
  }
}
