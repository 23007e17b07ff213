package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Lets writers begin a message when there is room on the connections of a link, so that no event
 * loop waits for a writer. The client writes a message under the lock of its channel, and handles
 * answers and closes on the event loop under the same lock:
 *
 * <pre>
 *  no room                        the client would wait for it within a message, with the lock, for
 *                                 the event loop, which may wait for the lock: so the client is
 *                                 not told, writes each message whole, and those who publish wait
 *                                 here (acknowledgements are bounded by what is unacknowledged)
 *  close of a channel             writers could keep the event loop from the lock: so they begin
 *                                 no message while a close is under way
 *  close-ok, on the event loop    would overtake what other threads have written before, and the
 *                                 broker ends a connection with frames for a channel that is
 *                                 closed: so it takes its turn
 * </pre>
 */
final class WriteGate {
  private final AtomicInteger closing = new AtomicInteger();
  private final List<Channel> connections = new CopyOnWriteArrayList<>();

  /** Returns whether a message may be begun. */
  boolean isOpen() {
    return closing.get() == 0 && hasRoom();
  }

  /** Returns whether each connection has written most of what it was given. */
  boolean hasRoom() {
    for (Channel each : connections) {
      if (!each.isWritable()) {
        return false;
      }
    }
    return true;
  }

  /** Waits until a message may be begun, for up to {@code millis}. */
  synchronized void awaitOpen(long millis) throws InterruptedException {
    Waiting.until(this, millis, this::isOpen);
  }

  private void forget(Channel connection) {
    connections.remove(connection);
    changed();
  }

  private synchronized void changed() {
    notifyAll();
  }

  /** Watches a connection that is made; the client's own handler is the last one. */
  void watch(Channel connection) {
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

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
      connections.add(context.channel());
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
      forget(context.channel());
    }

    /** What is closed may take a while, and nobody waits for its room. */
    @Override
    public void close(ChannelHandlerContext context, ChannelPromise promise) {
      forget(context.channel());
      context.close(promise);
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
      if (is(CLOSE_OK, message)) {
        context.channel().eventLoop().execute(() -> context.writeAndFlush(message, promise));
      } else {
        context.write(message, promise);
      }
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      if (!is(CLOSE, message) && !is(CLOSE_OK, message)) {
        context.fireChannelRead(message);
        return;
      }
      closing.incrementAndGet();
      try {
        context.fireChannelRead(message);
      } finally {
        closing.decrementAndGet();
        changed();
      }
    }

    /** The client does not see this. */
    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
      if (context.channel().isWritable()) {
        changed();
      } else {
        context.flush();
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
