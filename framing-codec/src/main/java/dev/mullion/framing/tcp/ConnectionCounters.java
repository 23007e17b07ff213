package dev.mullion.framing.tcp;

import java.util.concurrent.atomic.AtomicLong;

/** The counters of one connection. Any thread may read them. */
public final class ConnectionCounters {
  private final AtomicLong framesReceived = new AtomicLong();
  private final AtomicLong bytesReceived = new AtomicLong();
  private final AtomicLong framesSent = new AtomicLong();
  private final AtomicLong bytesSent = new AtomicLong();

  ConnectionCounters() {}

  /** Counts delivered frames; called by one thread at a time. */
  void received(int frames, long bytes) {
    framesReceived.lazySet(framesReceived.get() + frames);
    bytesReceived.lazySet(bytesReceived.get() + bytes);
  }

  /** Counts frames accepted for sending. */
  void sent(int frames, long bytes) {
    framesSent.addAndGet(frames);
    bytesSent.addAndGet(bytes);
  }

  /** Returns the number of frames that the handler has received. */
  public long framesReceived() {
    return framesReceived.get();
  }

  /** Returns the bytes on the wire of received frames and parts of frames. */
  public long bytesReceived() {
    return bytesReceived.get();
  }

  /** Returns the number of frames accepted for sending. */
  public long framesSent() {
    return framesSent.get();
  }

  /** Returns the bytes on the wire of frames accepted for sending. */
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
