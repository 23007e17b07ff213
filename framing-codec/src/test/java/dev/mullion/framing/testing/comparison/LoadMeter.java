package dev.mullion.framing.testing.comparison;

import java.time.Duration;
import java.util.List;
import java.util.Locale;

/**
 * Measures, in a load generator, what is completed in a time and which CPU time, of user and system
 * together, the server's process takes for it. Warm-up and measurement are as long in that CPU time
 * as was asked for: on a machine with other work, a time by the clock would measure code that is
 * not compiled yet. They end after {@link #LONGEST} times as long by the clock.
 */
public final class LoadMeter {
  static final String RESULT = "measured ";

  /** How much longer by the clock than by CPU time warm-up and measurement may take. */
  private static final int LONGEST = 3;

  /** How much longer than that it may take until something is measured. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  /** How often the CPU time is looked at. */
  private static final long INTERVAL = Duration.ofMillis(10).toNanos();

  private final ProcessHandle server;
  private final long warmup;
  private final long measured;
  private final long begun = System.nanoTime();
  private long lookedAt = begun;
  private boolean measuring;
  private long start;
  private long completedBefore;
  private long cpuBefore;
  private String result = "";

  private LoadMeter(ProcessHandle server, long warmup, long measured) {
    this.server = server;
    this.warmup = warmup;
    this.measured = measured;
  }

  /** Reads the arguments that each load generator has: port, process, nanoseconds, nanoseconds. */
  public static LoadMeter of(String[] arguments) {
    long pid = Long.parseLong(arguments[1]);
    ProcessHandle server =
        ProcessHandle.of(pid).orElseThrow(() -> new IllegalArgumentException("no process: " + pid));
    return new LoadMeter(server, Long.parseLong(arguments[2]), Long.parseLong(arguments[3]));
  }

  static List<String> arguments(String port, long pid, ComparisonOptions options) {
    return List.of(
        port,
        Long.toString(pid),
        Long.toString(options.warmup().toNanos()),
        Long.toString(options.measured().toNanos()));
  }

  /**
   * To be called again and again; returns whether the time is over. It goes on until something is
   * measured.
   *
   * @param completed how much was completed since the beginning
   */
  public boolean isOver(long completed) {
    long now = System.nanoTime();
    if (now - lookedAt < INTERVAL) {
      return false;
    }
    lookedAt = now;
    if (now - begun > LONGEST * (warmup + measured) + PATIENCE.toNanos()) {
      throw new IllegalStateException(
          "nothing measured, " + completed + " completed in " + Duration.ofNanos(now - begun));
    }
    if (!measuring) {
      if (completed > 0 && isLongEnough(warmup, now - begun, cpu())) {
        measuring = true;
        start = now;
        completedBefore = completed;
        cpuBefore = cpu();
      }
      return false;
    }
    if (completed == completedBefore || !isLongEnough(measured, now - start, cpu() - cpuBefore)) {
      return false;
    }
    long cpu = cpu() - cpuBefore;
    // One tick of the system's clock is 10 ms.
    if (cpu == 0) {
      return false;
    }
    result = String.format(
        Locale.ROOT, "%d %.3f %.2f", completed - completedBefore, (now - start) / 1e9, cpu / 1e9);
    return true;
  }

  private static boolean isLongEnough(long wanted, long time, long cpu) {
    return cpu >= wanted || time >= LONGEST * wanted;
  }

  /** Returns the longest time until there is a result. */
  static Duration patience(ComparisonOptions options) {
    return options.warmup().plus(options.measured()).multipliedBy(LONGEST).plus(PATIENCE);
  }

  private long cpu() {
    return server
        .info()
        .totalCpuDuration()
        .orElseThrow(() -> new IllegalStateException("no CPU time of process " + server.pid()))
        .toNanos();
  }

  /** Returns the line to print when the time is over. */
  public String result() {
    return RESULT + result;
  }
}
