package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.Place.NOBODY;

import dev.mullion.framing.tcp.Place.Request;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * The ways in which any thread sends frames on a connection. Each adds the frame to an {@link
 * Outbound} under its lock if there is room; they differ in what happens without room.
 */
final class Sending {
  private final Outbound queue;
  private final Channel channel;
  private final ConnectionSettings settings;

  Sending(Outbound queue, LinkContext link) {
    this.queue = queue;
    channel = link.context().channel();
    settings = link.settings;
  }

  /** Sends a frame, and waits for room. */
  void send(Object frame) throws IOException {
    try {
      if (Thread.interrupted()) {
        throw new InterruptedException();
      }
      Object ready = queue.sendLock.lockFor(frame, false);
      try {
        if (queue.admits(SendBuffer.length(ready))) {
          queue.append(ready, NOBODY);
        } else {
          sendWhenThereIsRoom(ready);
        }
      } finally {
        queue.sendLock.unlock(ready, frame);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while waiting for room; the frame is not sent");
    } finally {
      ReferenceCountUtil.release(frame);
    }
  }

  private void sendWhenThereIsRoom(Object frame) throws IOException, InterruptedException {
    int length = SendBuffer.length(frame);
    if (channel.eventLoop().inEventLoop()) {
      throw new IllegalStateException(
          "send would wait on the event loop (expected: reply, trySend or sendAsync)");
    }
    // Before it waits: a frame that does not fit the format fails now.
    ByteBuf encoded = queue.buffer.encode(frame);
    try {
      while (!queue.admits(length)) {
        queue.room.await();
      }
      queue.take(encoded.retain(), NOBODY);
    } finally {
      encoded.release();
    }
  }

  /** Sends a frame if there is room now. */
  boolean trySend(Object frame) throws IOException {
    try {
      Object ready = queue.sendLock.lockFor(frame, false);
      try {
        if (queue.admits(SendBuffer.length(ready))) {
          queue.append(ready, NOBODY);
          return true;
        }
      } finally {
        queue.sendLock.unlock(ready, frame);
      }
      settings.totals().sendsRefused.increment();
      return false;
    } finally {
      ReferenceCountUtil.release(frame);
    }
  }

  /** Sends a frame when there is room; fails if too many bytes wait already. */
  CompletableFuture<Void> sendAsync(Object frame) {
    return sendAsync(frame, true, NOBODY);
  }

  /** Like {@link #sendAsync}, for a frame that the peer does not answer. */
  CompletableFuture<Void> sendUnanswered(Object frame) {
    return sendAsync(frame, true, null);
  }

  /** Sends a frame when there is room, without a bound: for callers that limit their own demand. */
  CompletableFuture<Void> sendRequested(Object frame) {
    return sendAsync(frame, false, NOBODY);
  }

  private CompletableFuture<Void> sendAsync(Object frame, boolean bounded, @Nullable Place place) {
    try {
      Object ready = queue.sendLock.lockFor(frame, false);
      try {
        int length = SendBuffer.length(ready);
        if (!queue.admits(length)) {
          return await(ready, length, bounded, place);
        }
        queue.append(ready, place);
        PendingSend send = new PendingSend(this::withdraw, length, place, false);
        queue.sends.add(send);
        return send;
      } finally {
        queue.sendLock.unlock(ready, frame);
      }
    } catch (IOException e) {
      return CompletableFuture.failedFuture(e);
    } finally {
      ReferenceCountUtil.release(frame);
    }
  }

  /**
   * Sends a request; it gets its place among the due replies together with its bytes.
   *
   * @return completes with an error if it is not sent; {@code null} if it was accepted at once
   */
  @Nullable
  PendingSend sendRequest(byte[] frame, Request request, int most) throws IOException {
    Object ready = queue.sendLock.lockFor(frame, false);
    try {
      queue.checkOpen(queue.replies.ended());
      int inFlight = queue.replies.requests() + queue.waiting.requests();
      if (inFlight >= most) {
        settings.totals().sendsRefused.increment();
        throw new FrameNotSentException("request is not sent: " + inFlight
            + " are in flight (maxRequestsInFlight: " + most + ", peer "
            + channel.remoteAddress() + ")");
      }
      if (!queue.admits(frame.length)) {
        return await(ready, frame.length, true, request);
      }
      queue.append(ready, request);
      return null;
    } finally {
      queue.sendLock.unlock(ready, frame);
    }
  }

  /**
   * Queues a waiting frame. It is encoded now, so that a frame that does not fit the format fails
   * now.
   */
  private PendingSend await(Object frame, int length, boolean bounded, @Nullable Place place)
      throws IOException {
    if (bounded && !queue.waiting.admits(length, settings.outboundHigh())) {
      settings.totals().sendsRefused.increment();
      throw new FrameNotSentException("frame of " + length + " bytes is not sent: "
          + queue.waiting.bytes() + " bytes in " + queue.waiting.size()
          + " frames are already waiting (outboundHighWaterMark: " + settings.outboundHigh()
          + ", peer " + channel.remoteAddress() + ")");
    }
    PendingSend send =
        new PendingSend(this::withdraw, length, place, channel.eventLoop().inEventLoop());
    send.encoded = queue.buffer.encode(frame);
    queue.waiting.add(send);
    return send;
  }

  /** Withdraws a frame that waits for room; returns whether it did. */
  boolean withdraw(PendingSend send) {
    queue.lock.lock();
    try {
      if (!queue.waiting.remove(send)) {
        return false;
      }
    } finally {
      queue.lock.unlock();
    }
    send.release();
    return true;
  }
}
