package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.Place.NOBODY;

import dev.mullion.framing.tcp.Place.Request;
import io.netty.buffer.ByteBuf;
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
  private final Link link;

  Sending(Link link) {
    this.link = link;
  }

  /** Sends a frame, and waits for room. */
  void send(Object frame) throws IOException {
    Outbound queue = link.outbound();
    try {
      if (Thread.interrupted()) {
        throw new InterruptedException();
      }
      Object ready = queue.sendLock.lockFor(frame, false);
      try {
        if (queue.admits(SendBuffer.length(ready))) {
          queue.append(ready, NOBODY);
        } else {
          sendWhenThereIsRoom(queue, ready);
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

  private void sendWhenThereIsRoom(Outbound queue, Object frame)
      throws IOException, InterruptedException {
    int length = SendBuffer.length(frame);
    if (link.context().executor().inEventLoop()) {
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
    Outbound queue = link.outbound();
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
      link.settings.totals().sendsRefused.increment();
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
    Outbound queue = link.outbound();
    try {
      Object ready = queue.sendLock.lockFor(frame, false);
      try {
        int length = SendBuffer.length(ready);
        if (!queue.admits(length)) {
          return await(queue, ready, length, bounded, place);
        }
        queue.append(ready, place);
        PendingSend send = new PendingSend(this::withdraw, length, place, false);
        queue.completeWhenSent(send);
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
    Outbound queue = link.outbound();
    Object ready = queue.sendLock.lockFor(frame, false);
    try {
      queue.checkOpen(queue.replies.ended());
      int inFlight = queue.replies.requests() + queue.waiting.requests();
      if (inFlight >= most) {
        link.settings.totals().sendsRefused.increment();
        throw new FrameNotSentException("request is not sent: " + inFlight
            + " are in flight (maxRequestsInFlight: " + most + ", peer "
            + link.peer() + ")");
      }
      if (!queue.admits(frame.length)) {
        return await(queue, ready, frame.length, true, request);
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
  private PendingSend await(
      Outbound queue, Object frame, int length, boolean bounded, @Nullable Place place)
      throws IOException {
    if (bounded && !queue.waiting.admits(length, link.settings.outboundHigh())) {
      link.settings.totals().sendsRefused.increment();
      throw new FrameNotSentException("frame of " + length + " bytes is not sent: "
          + queue.waiting.bytes() + " bytes in " + queue.waiting.size()
          + " frames are already waiting (outboundHighWaterMark: " + link.settings.outboundHigh()
          + ", peer " + link.peer() + ")");
    }
    PendingSend send =
        new PendingSend(this::withdraw, length, place, link.context().executor().inEventLoop());
    send.encoded = queue.buffer.encode(frame);
    queue.waiting.add(send);
    return send;
  }

  /** Withdraws a frame that waits for room; returns whether it did. */
  boolean withdraw(PendingSend send) {
    Outbound queue = link.outbound();
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
