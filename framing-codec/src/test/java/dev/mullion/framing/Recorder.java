package dev.mullion.framing;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Stands behind a codec, writes down what comes, and releases it. Any thread may read the notes.
 */
@Sharable
final class Recorder extends ChannelInboundHandlerAdapter {
  private final List<String> events = Collections.synchronizedList(new ArrayList<>());
  private final List<Integer> batches = Collections.synchronizedList(new ArrayList<>());

  /** Frames as {@code frame 6869}, errors with their class and text, and so on, in order. */
  List<String> events() {
    synchronized (events) {
      return new ArrayList<>(events);
    }
  }

  /** How many frames there were in each batch. */
  List<Integer> batches() {
    synchronized (batches) {
      return new ArrayList<>(batches);
    }
  }

  static String frame(String hex) {
    return "frame " + hex.replace(" ", "");
  }

  static String frame(byte[] bytes) {
    return "frame " + TestBytes.hex(bytes);
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object msg) {
    if (msg instanceof FrameBatch batch) {
      batches.add(batch.size());
      List<String> frames = new ArrayList<>();
      for (int i = 0; i < batch.size(); i++) {
        ByteBuf frame = batch.buffer().slice(batch.offset(i), batch.length(i));
        frames.add("frame " + TestBytes.hex(frame));
      }
      events.addAll(frames);
      return;
    }
    events.add(msg instanceof ByteBuf frame ? "frame " + TestBytes.hex(frame) : msg.toString());
    ReferenceCountUtil.release(msg);
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    events.add(cause.getClass().getSimpleName() + ": " + cause.getMessage());
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
    events.add(event.getClass().getSimpleName());
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    events.add("inactive");
  }
}
