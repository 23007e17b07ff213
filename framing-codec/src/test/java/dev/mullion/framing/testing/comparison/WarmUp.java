package dev.mullion.framing.testing.comparison;

import java.time.Duration;
import java.util.Locale;

/**
 * How long a server is warmed up, in its CPU time: until it is steady, or for a fixed time if both
 * limits are equal. It is steady when two successive windows, each half as long as the minimum,
 * differ by less than {@link #STEADY} in what is completed per second of CPU time.
 *
 * @param least the minimum
 * @param most the maximum, even if it is not steady by then
 */
record WarmUp(Duration least, Duration most) {
  static final double STEADY = 0.03;

  private static final String UNTIL = "..";

  WarmUp {
    if (most.compareTo(least) < 0) {
      throw new IllegalArgumentException("warm-up: " + least + UNTIL + most);
    }
  }

  static WarmUp fixed(Duration time) {
    return new WarmUp(time, time);
  }

  /** Reads seconds: {@code 6}, or {@code 3..24}. */
  static WarmUp ofSeconds(String text) {
    String[] limits = text.split("\\.\\.", 2);
    return new WarmUp(
        ComparisonOptions.seconds(limits[0]), ComparisonOptions.seconds(limits[limits.length - 1]));
  }

  /** Reads {@link #argument}. */
  static WarmUp of(String argument) {
    String[] limits = argument.split("\\.\\.", 2);
    return new WarmUp(
        Duration.ofNanos(Long.parseLong(limits[0])), Duration.ofNanos(Long.parseLong(limits[1])));
  }

  /** Returns the limits as one argument of a load generator. */
  String argument() {
    return least.toNanos() + UNTIL + most.toNanos();
  }

  boolean isFixed() {
    return least.equals(most);
  }

  Duration window() {
    return least.dividedBy(2);
  }

  String description() {
    return isFixed()
        ? String.format(Locale.ROOT, "%.1f s of warm-up", least.toNanos() / 1e9)
        : String.format(
            Locale.ROOT,
            "a warm-up of %.1f to %.1f s, until two successive windows of %.1f s differ by less"
                + " than %.0f %%",
            least.toNanos() / 1e9,
            most.toNanos() / 1e9,
            window().toNanos() / 1e9,
            100 * STEADY);
  }

  /** Looks at one server while it is warmed up. */
  Progress begin() {
    return new Progress();
  }

  /** Compares each window with the one before it. */
  final class Progress {
    private long start;
    private long cpuAtStart;
    private long completedAtStart;
    private double speedBefore;
    private boolean steady = isFixed();

    /**
     * Returns whether the warm-up is over.
     *
     * @param completed how much was completed since the beginning
     * @param time since the beginning, in nanoseconds
     * @param cpu the server's CPU time in nanoseconds
     */
    boolean isOver(long completed, long time, long cpu) {
      if (LoadMeter.isLongEnough(most, time, cpu)) {
        return true;
      }
      if (LoadMeter.isLongEnough(window(), time - start, cpu - cpuAtStart) && cpu > cpuAtStart) {
        double speed = (double) (completed - completedAtStart) / (cpu - cpuAtStart);
        steady = speed > 0 && Math.abs(speedBefore / speed - 1) < STEADY;
        start = time;
        cpuAtStart = cpu;
        completedAtStart = completed;
        speedBefore = speed;
      }
      return steady && LoadMeter.isLongEnough(least, time, cpu);
    }
  }
}
