package dev.mullion.framing.tcp;

import java.util.concurrent.atomic.AtomicLong;

/** What one connection has carried. Any thread may read it. */
public final class ConnectionCounters {
  private final AtomicLong framesReceived = new AtomicLong();
  private final AtomicLong bytesReceived = new AtomicLong();
  private final AtomicLong framesSent = new AtomicLong();
  private final AtomicLong bytesSent = new AtomicLong();

  ConnectionCounters() {}

  /** Counts frames that were delivered; called by one thread at a time. */
  void received(int frames, long bytes) {
    framesReceived.lazySet(framesReceived.get() + frames);
    bytesReceived.lazySet(bytesReceived.get() + bytes);
  }

  /** Counts frames that were taken to be sent. */
  void sent(int frames, long bytes) {
    framesSent.addAndGet(frames);
    bytesSent.addAndGet(bytes);
  }

  /** Returns how many frames the handler has received. */
  public long framesReceived() {
    return framesReceived.get();
  }

  /** Returns the bytes on the wire of those frames, and parts of frames. */
  public long bytesReceived() {
    return bytesReceived.get();
  }

  /** Returns how many frames were taken to be sent. */
  public long framesSent() {
    return framesSent.get();
  }

  /** Returns the bytes on the wire of those frames. */
  public long bytesSent() {
    return bytesSent.get();
  }

  /** Names every counter with its value. */
  @Override
  public String toString() {
    return "ConnectionCounters[framesReceived="
        + framesReceived
        + ", bytesReceived="
        + bytesReceived
        + ", framesSent="
        + framesSent
        + ", bytesSent="
        + bytesSent
        + "]";
  }
}
