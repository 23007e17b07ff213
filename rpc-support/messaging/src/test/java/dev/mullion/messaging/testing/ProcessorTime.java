package dev.mullion.messaging.testing;

import java.time.Duration;

/** What this process has used of the processor, for comparisons. */
public final class ProcessorTime {
  private ProcessorTime() {}

  /** Returns the time in nanoseconds, of all threads; 0 where the system does not tell. */
  public static long nanos() {
    return ProcessHandle.current()
        .info()
        .totalCpuDuration()
        .orElse(Duration.ZERO)
        .toNanos();
  }
}
