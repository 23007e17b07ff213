package dev.mullion.messaging.grpc;

import dev.mullion.messaging.grpc.v1.ServerFrame;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A list on its way to a client. The thread that reads it waits until the client has read the
 * earlier part, so a long list takes little memory here.
 */
final class FrameStream {
  private static final int MOST_BYTES = 256 * 1024;

  private final Duration patience;
  private final ArrayDeque<ServerFrame> frames = new ArrayDeque<>(); // guarded by this
  private int bytes;
  private boolean ended;
  private boolean closed;

  /** Creates a list; a client that reads nothing for this time does not get the rest. */
  FrameStream(Duration patience) {
    this.patience = patience;
  }

  /**
   * Adds a frame, once there is room; one always has room.
   *
   * @throws IllegalStateException if the client is gone, or does not read
   */
  synchronized void put(ServerFrame frame) {
    long end = System.nanoTime() + patience.toNanos();
    while (bytes > MOST_BYTES && !closed) {
      long left = end - System.nanoTime();
      if (left <= 0) {
        throw new IllegalStateException("the client did not read a list within " + patience);
      }
      try {
        TimeUnit.NANOSECONDS.timedWait(this, left);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException("interrupted", e);
      }
    }
    if (closed) {
      throw new IllegalStateException("the client is gone");
    }
    add(frame);
  }

  /** Adds the answer, which is the last frame. */
  synchronized void end(ServerFrame answer) {
    add(answer);
    ended = true;
  }

  private void add(ServerFrame frame) {
    frames.add(frame);
    bytes += frame.getSerializedSize();
  }

  /** Returns the next frame; null if there is none now. */
  synchronized @Nullable ServerFrame poll() {
    ServerFrame next = frames.poll();
    if (next != null) {
      bytes -= next.getSerializedSize();
      notifyAll();
    }
    return next;
  }

  /** Returns whether the answer was taken. */
  synchronized boolean isOver() {
    return ended && frames.isEmpty();
  }

  /** The client is gone: nobody waits here any more. */
  synchronized void close() {
    closed = true;
    notifyAll();
  }
}
