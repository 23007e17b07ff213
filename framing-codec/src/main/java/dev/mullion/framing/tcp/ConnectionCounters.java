package dev.mullion.framing.tcp;

import java.util.concurrent.atomic.AtomicLongFieldUpdater;

/** The counters of one connection. Any thread may read them. */
public final class ConnectionCounters {
  private static final AtomicLongFieldUpdater<ConnectionCounters> FRAMES_RECEIVED =
      field("framesReceived");
  private static final AtomicLongFieldUpdater<ConnectionCounters> BYTES_RECEIVED =
      field("bytesReceived");
  private static final AtomicLongFieldUpdater<ConnectionCounters> FRAMES_SENT = field("framesSent");
  private static final AtomicLongFieldUpdater<ConnectionCounters> BYTES_SENT = field("bytesSent");

  private volatile long framesReceived;
  private volatile long bytesReceived;
  private volatile long framesSent;
  private volatile long bytesSent;

  ConnectionCounters() {}

  private static AtomicLongFieldUpdater<ConnectionCounters> field(String name) {
    return AtomicLongFieldUpdater.newUpdater(ConnectionCounters.class, name);
  }

  /** Counts delivered frames; called by one thread at a time. */
  void received(int frames, long bytes) {
    FRAMES_RECEIVED.lazySet(this, framesReceived + frames);
    BYTES_RECEIVED.lazySet(this, bytesReceived + bytes);
  }

  /** Counts frames accepted for sending. */
  void sent(int frames, long bytes) {
    FRAMES_SENT.addAndGet(this, frames);
    BYTES_SENT.addAndGet(this, bytes);
  }

  /** Returns the number of frames that the handler has received. */
  public long framesReceived() {
    return framesReceived;
  }

  /** Returns the bytes on the wire of received frames and parts of frames. */
  public long bytesReceived() {
    return bytesReceived;
  }

  /** Returns the number of frames accepted for sending. */
  public long framesSent() {
    return framesSent;
  }

  /** Returns the bytes on the wire of frames accepted for sending. */
  public long bytesSent() {
    return bytesSent;
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
