package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Keeps connections alive when the broker closes one of their channels while other threads write
 * there. The client answers such a close on the event loop, under the lock of the channel:
 *
 * <pre>
 *  close-ok, written on the event loop    would overtake what other threads have written before,
 *                                         and the broker ends a connection with frames for a
 *                                         channel that is closed: so it takes its turn
 *  close, while nothing can be written    a writer may wait with the lock until the event loop
 *                                         has written something: so the close waits until then;
 *                                         but all else is read, as heartbeats are
 *  writers                                could keep the event loop from the lock: so they begin
 *                                         no message while a close is under way
 * </pre>
 */
final class ChannelCloses {
  private final AtomicInteger underWay = new AtomicInteger();

  /** Returns whether the broker closes a channel just now, so that no message should be begun. */
  boolean areUnderWay() {
    return underWay.get() > 0;
  }

  /** Handles those of a connection that is made; the client's own handler is the last one. */
  void handle(Channel connection) {
    var pipeline = connection.pipeline();
    pipeline.addBefore(pipeline.lastContext().name(), null, new Handler());
  }

  /**
   * Sees frames.
   *
   * <pre>
   *  type (1)  channel (2)  size (4)  class id (2)  method id (2)  ...
   * </pre>
   */
  private final class Handler extends ChannelDuplexHandler {
    private static final int IDS_OFFSET = 7;
    private static final int IDS_END = 11;
    private static final int CLOSE = 20 << 16 | 40;
    private static final int CLOSE_OK = 20 << 16 | 41;

    private final Deque<Object> held = new ArrayDeque<>();
    private boolean writable = true;

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
      if (is(CLOSE_OK, message)) {
        context.channel().eventLoop().execute(() -> context.writeAndFlush(message, promise));
      } else {
        context.write(message, promise);
      }
    }

    /** Nothing follows a close on its channel but the answer to one of the client. */
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      if (!is(CLOSE, message) && !is(CLOSE_OK, message)) {
        context.fireChannelRead(message);
        return;
      }
      underWay.incrementAndGet();
      held.add(message);
      passOn(context);
    }

    /** The client lets those go on first that wait. */
    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
      context.fireChannelWritabilityChanged();
      writable = context.channel().isWritable();
      passOn(context);
    }

    private void passOn(ChannelHandlerContext context) {
      while (writable && !held.isEmpty()) {
        try {
          context.fireChannelRead(held.remove());
        } finally {
          underWay.decrementAndGet();
        }
      }
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
      for (Object each = held.poll(); each != null; each = held.poll()) {
        underWay.decrementAndGet();
        ((ByteBuf) each).release();
      }
    }

    private static boolean is(int ids, Object message) {
      return message instanceof ByteBuf frame
          && frame.readableBytes() >= IDS_END
          && frame.getByte(frame.readerIndex()) == AMQP.FRAME_METHOD
          && frame.getInt(frame.readerIndex() + IDS_OFFSET) == ids;
    }
  }
}
