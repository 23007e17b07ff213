package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramingException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The frames that any thread sends on a connection, up to a bound. They are encoded by the thread that
 * sends them, into a chunk that the event loop then writes: one task and one flush for all that came
 * together.
 *
 * <pre>{@code
 *                                       +------------ held() ------------+
 *  send, trySend ---------------------> | chunk ---> Netty's queue       | ---> socket
 *  sendAsync ---> waiting, while full -> |                                |
 *                                       +--------------------------------+
 * }</pre>
 */
final class Outbound {
  /** What a frame that waits for room takes besides its bytes: empty ones are bounded too. */
  private static final int WAITING_COST = 64;

  private final Channel channel;
  private final Link link;
  private final ConnectionSettings settings;
  private final ConnectionCounters counters;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition room = lock.newCondition();

  private final SendBuffer buffer;
  private final AtomicLong accepted = new AtomicLong();
  private List<PendingSend> sends = new ArrayList<>(0);
  private final Deque<PendingSend> waiting = new ArrayDeque<>(0);
  private long waitingBytes;
  private boolean backedUp;
  private boolean scheduled;
  private boolean markSent;
  private @Nullable IOException closed;

  Outbound(Link link, ConnectionCounters counters) {
    this.link = link;
    this.channel = link.context().channel();
    this.settings = link.settings;
    this.buffer = new SendBuffer(channel.alloc(), settings, channel.remoteAddress());
    this.counters = counters;
  }

  /** Sends a frame, and waits for room. */
  void send(Object frame) throws IOException {
    int length = SendBuffer.length(frame);
    boolean taken = false;
    lockToSend(frame);
    try {
      while (!admits(length)) {
        if (channel.eventLoop().inEventLoop()) {
          throw new IllegalStateException(
              "send would wait on the event loop (expected: reply, trySend or sendAsync)");
        }
        room.await();
      }
      taken = true;
      append(frame);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while waiting for room; the frame is not sent");
    } finally {
      lock.unlock();
      if (!taken) {
        ReferenceCountUtil.release(frame);
      }
    }
  }

  private void lockToSend(Object frame) throws IOException {
    try {
      lock.lockInterruptibly();
    } catch (InterruptedException e) {
      ReferenceCountUtil.release(frame);
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted before the frame was sent");
    }
  }

  /** Sends a frame if there is room now. */
  boolean trySend(Object frame) throws IOException {
    int length = SendBuffer.length(frame);
    boolean taken = false;
    lock.lock();
    try {
      if (admits(length)) {
        taken = true;
        append(frame);
        return true;
      }
      settings.totals().sendsRefused.increment();
      return false;
    } finally {
      lock.unlock();
      if (!taken) {
        ReferenceCountUtil.release(frame);
      }
    }
  }

  /** Sends a frame when there is room, or fails if too much waits already. */
  CompletableFuture<Void> sendAsync(Object frame) {
    return sendAsync(frame, true);
  }

  /** Sends a frame when there is room, whatever waits: for one who bounds what he gives himself. */
  CompletableFuture<Void> sendRequested(Object frame) {
    return sendAsync(frame, false);
  }

  private CompletableFuture<Void> sendAsync(Object frame, boolean bounded) {
    int length = SendBuffer.length(frame);
    lock.lock();
    try {
      if (admits(length)) {
        PendingSend send = new PendingSend(this, frame, length);
        sends.add(send);
        try {
          append(frame);
        } catch (IOException | RuntimeException e) {
          sends.remove(send);
          throw e;
        }
        return send;
      }
      return await(frame, length, bounded);
    } catch (IOException e) {
      ReferenceCountUtil.release(frame);
      return CompletableFuture.failedFuture(e);
    } finally {
      lock.unlock();
    }
  }

  private CompletableFuture<Void> await(Object frame, int length, boolean bounded)
      throws FrameNotSentException {
    long taken = waitingBytes + (long) WAITING_COST * waiting.size();
    if (bounded && taken + length > settings.outboundHigh() && !waiting.isEmpty()) {
      settings.totals().sendsRefused.increment();
      throw new FrameNotSentException("frame of " + length + " bytes is not sent: " + waitingBytes
          + " bytes in " + waiting.size()
          + " frames wait for room already (outboundHighWaterMark: " + settings.outboundHigh()
          + ", peer " + channel.remoteAddress() + ")");
    }
    PendingSend send = new PendingSend(this, ownCopy(frame), length);
    waiting.add(send);
    waitingBytes += length;
    return send;
  }

  /** What the caller may change when the call returns is copied. */
  private static Object ownCopy(Object frame) {
    if (frame instanceof byte[] bytes) {
      return bytes.clone();
    }
    if (frame instanceof ByteBuffer buffer) {
      byte[] copy = new byte[buffer.remaining()];
      buffer.get(copy);
      return copy;
    }
    return frame;
  }

  boolean withdraw(PendingSend send) {
    lock.lock();
    try {
      if (!waiting.remove(send)) {
        return false;
      }
      waitingBytes -= send.length;
      ReferenceCountUtil.release(send.frame);
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** Uses another format from the next frame on; frames that wait for room are among them. */
  void format(FrameFormat format) {
    lock.lock();
    try {
      buffer.format(format);
    } finally {
      lock.unlock();
    }
  }

  /** Whether a frame may be taken now. If not, the event loop will look again when there is room. */
  private boolean admits(int length) throws FrameNotSentException {
    checkOpen();
    if (!backedUp) {
      long held = held();
      if (held == 0) {
        return true;
      }
      if (held + length <= settings.outboundHigh() && !settings.budget().isExceeded()) {
        return true;
      }
      backedUp = true;
      settings.totals().sendsDelayed.increment();
      schedule();
    }
    return false;
  }

  private void checkOpen() throws FrameNotSentException {
    if (closed != null) {
      throw new FrameNotSentException(
          "connection is closed (peer " + channel.remoteAddress() + ")", closed);
    }
  }

  /** The bytes that were taken and are not in the kernel yet. */
  long held() {
    return accepted.get() + inNetty();
  }

  /** The bytes that were taken and are not in the kernel yet, without what their queue takes itself. */
  long unsent() {
    AtomicLong bytes = new AtomicLong(accepted.get());
    ChannelOutboundBuffer queue = channel.unsafe().outboundBuffer();
    if (queue != null) {
      try {
        queue.forEachFlushedMessage(message -> {
          bytes.addAndGet(((ByteBuf) message).readableBytes());
          return true;
        });
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
    return bytes.get();
  }

  /** The bytes that were taken and that Netty has not been given. */
  long notHandedOn() {
    return accepted.get();
  }

  /** A number that changes whenever bytes have gone to the kernel. */
  long progressMark() {
    ChannelOutboundBuffer queue = channel.unsafe().outboundBuffer();
    return queue == null ? 0 : queue.totalPendingWriteBytes() - queue.currentProgress();
  }

  /** Whether Netty has more to write than the bound. After a FIN there is nothing to write. */
  boolean isFull() {
    ChannelOutboundBuffer queue = channel.unsafe().outboundBuffer();
    return queue != null && !queue.isWritable();
  }

  private long inNetty() {
    ChannelOutboundBuffer queue = channel.unsafe().outboundBuffer();
    return queue == null ? 0 : queue.totalPendingWriteBytes();
  }

  /** Encodes a frame, and releases it if it counts references. */
  private void append(Object frame) throws FramingException {
    int bytes = buffer.add(frame);
    accepted.addAndGet(bytes);
    counters.sent(1, bytes);
    schedule();
  }

  private void schedule() {
    if (!scheduled) {
      scheduled = true;
      channel.eventLoop().execute(this::drain);
    }
  }

  /** On the event loop: hands everything to Netty and flushes. */
  void drain() {
    Queue<ByteBuf> ready;
    List<PendingSend> sent;
    boolean mark;
    lock.lock();
    try {
      scheduled = false;
      ready = buffer.take();
      sent = sends;
      mark = backedUp && !markSent;
      markSent |= mark;
      if (ready.isEmpty() && !mark) {
        return;
      }
      sends = new ArrayList<>(0);
    } finally {
      lock.unlock();
    }
    ChannelHandlerContext wire = link.wire();
    write(wire, ready, sent, mark);
    wire.flush();
    link.reading.noteOutput();
  }

  private void write(
      ChannelHandlerContext wire, Queue<ByteBuf> ready, List<PendingSend> sent, boolean mark) {
    for (ByteBuf buffer : ready) {
      // First, since a sender that saw it twice would take the queue to be full, and wait for less.
      accepted.addAndGet(-buffer.readableBytes());
      wire.write(buffer, channel.unsafe().voidPromise());
    }
    if (mark || !sent.isEmpty()) {
      // Nothing, but it is behind everything: when it is written, all of that is.
      wire.write(Unpooled.EMPTY_BUFFER)
          .addListener((ChannelFutureListener) done -> written(done, sent, mark));
    }
  }

  private void written(ChannelFuture done, List<PendingSend> sent, boolean mark) {
    for (PendingSend send : sent) {
      if (done.isSuccess()) {
        send.complete(null);
      } else {
        send.completeExceptionally(new IOException(
            "connection was lost while the frame was sent (peer " + channel.remoteAddress() + ")",
            done.cause()));
      }
    }
    if (mark) {
      // Netty counts what it has just written until its listeners have been told.
      channel.eventLoop().execute(this::markWritten);
    } else {
      roomMayBeThere();
    }
  }

  private void markWritten() {
    roomMayBeThere();
    lock.lock();
    try {
      markSent = false;
      if (backedUp && closed == null) {
        // Something else has been written meanwhile.
        schedule();
      }
    } finally {
      lock.unlock();
    }
  }

  /** On the event loop: looks whether those who wait for room can go on. */
  void roomMayBeThere() {
    lock.lock();
    try {
      // A queue that is gone with its channel has no room: those who wait are told by the end.
      if (!backedUp || held() > settings.outboundLow() || !channel.isActive()) {
        return;
      }
      backedUp = false;
      while (!waiting.isEmpty() && admits(waiting.element().length)) {
        take(waiting.remove());
      }
      room.signalAll();
    } catch (FrameNotSentException e) {
      // The connection has just been closed, and that has told everyone.
      room.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void take(PendingSend send) {
    waitingBytes -= send.length;
    sends.add(send);
    try {
      append(send.frame);
    } catch (FramingException | RuntimeException e) {
      sends.remove(send);
      send.completeExceptionally(e);
    }
  }

  /** Takes no more frames; what was taken is still written. */
  void end(IOException why) {
    List<PendingSend> refused;
    lock.lock();
    try {
      if (closed == null) {
        closed = why;
      }
      refused = new ArrayList<>(waiting);
      waiting.clear();
      waitingBytes = 0;
      room.signalAll();
    } finally {
      lock.unlock();
    }
    for (PendingSend send : refused) {
      ReferenceCountUtil.release(send.frame);
      send.completeExceptionally(new FrameNotSentException(
          "connection was closed while the frame waited for room (peer " + channel.remoteAddress()
              + ")",
          requireNonNull(closed, "closed")));
    }
  }

  /** Says that the channel is closed: what was not written never will be. */
  void fail(IOException why) {
    end(why);
    List<PendingSend> lost;
    lock.lock();
    try {
      buffer.release();
      accepted.set(0);
      lost = sends;
      sends = new ArrayList<>(0);
    } finally {
      lock.unlock();
    }
    for (PendingSend send : lost) {
      send.completeExceptionally(new FrameNotSentException(
          "connection was closed before the frame was sent (peer " + channel.remoteAddress() + ")",
          why));
    }
  }
}
