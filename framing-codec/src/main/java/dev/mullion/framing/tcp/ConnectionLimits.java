package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.TooLargePolicy;
import java.time.Duration;

/** What a server's and a client's builder collect in the same way, with the defaults. */
final class ConnectionLimits {
  FrameFormat format = FrameFormat.defaults();
  TooLargePolicy tooLargePolicy = TooLargePolicy.CLOSE;
  boolean parts;
  Duration idleTimeout = Duration.ofMinutes(5);
  Duration frameTimeout = Duration.ofSeconds(30);
  Duration closeTimeout = Duration.ofSeconds(5);
  int inboundHigh = 256 * 1024;
  private static final int USUAL_LOW = 64 * 1024;

  /** -1 stands for the default. */
  int outboundLow = -1;

  int outboundHigh = 1024 * 1024;

  /** 0 stands for the default. */
  long memoryBudget;

  /**
   * Checks what only shows when everything is set.
   *
   * @throws IllegalStateException if settings contradict each other
   */
  ConnectionSettings settings(TcpCounters totals) {
    int low = outboundLow < 0 ? Math.min(USUAL_LOW, outboundHigh / 2) : outboundLow;
    if (low > outboundHigh) {
      throw new IllegalStateException("outboundLowWaterMark: "
          + low
          + " (expected: <= outboundHighWaterMark: "
          + outboundHigh
          + ")");
    }
    long budget = memoryBudget == 0
        ? Math.max(format.maxFrameLength(), Runtime.getRuntime().maxMemory() / 4)
        : memoryBudget;
    if (budget < format.maxFrameLength()) {
      throw new IllegalStateException("memoryBudget: "
          + budget
          + " (expected: >= maxFrameLength: "
          + format.maxFrameLength()
          + ")");
    }
    return new ConnectionSettings(
        format,
        tooLargePolicy,
        parts,
        TcpListener.nanos(idleTimeout),
        TcpListener.nanos(frameTimeout),
        TcpListener.nanos(closeTimeout),
        inboundHigh,
        low,
        outboundHigh,
        new MemoryBudget(budget),
        totals);
  }
}
