package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameCounters;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/** What a server has done since it started. Any thread may read it. */
public final class ServerCounters {
  final AtomicInteger connectionsOpen = new AtomicInteger();
  final LongAdder connectionsAccepted = new LongAdder();
  final LongAdder connectionsRefused = new LongAdder();
  final LongAdder connectionsIdle = new LongAdder();
  final LongAdder connectionsCut = new LongAdder();
  private final FrameCounters frames = new FrameCounters();

  ServerCounters() {}

  /** Returns how many connections are open now. */
  public int connectionsOpen() {
    return connectionsOpen.get();
  }

  /** Returns how many connections were accepted and served. */
  public long connectionsAccepted() {
    return connectionsAccepted.sum();
  }

  /** Returns how many connections were closed at once, since {@code maxConnections} were open. */
  public long connectionsRefused() {
    return connectionsRefused.sum();
  }

  /** Returns how many connections were closed for being idle. */
  public long connectionsIdle() {
    return connectionsIdle.sum();
  }

  /** Returns how many connections were closed by force when the server stopped. */
  public long connectionsCut() {
    return connectionsCut.sum();
  }

  /** Returns the counters of frames and bytes over all connections. */
  public FrameCounters frames() {
    return frames;
  }

  /** Names every counter with its value. */
  @Override
  public String toString() {
    return "ServerCounters[connectionsOpen="
        + connectionsOpen
        + ", connectionsAccepted="
        + connectionsAccepted
        + ", connectionsRefused="
        + connectionsRefused
        + ", connectionsIdle="
        + connectionsIdle
        + ", connectionsCut="
        + connectionsCut
        + ", frames="
        + frames
        + "]";
  }
}
