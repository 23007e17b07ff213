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
  private final WarmUp warmUp;
  private final WarmUp.Progress progress;
  private final Duration measured;
  private final long begun = System.nanoTime();
  private long lookedAt = begun;
  private boolean measuring;
  private long start;
  private long completedBefore;
  private long cpuBefore;
  private String result = "";

  private LoadMeter(ProcessHandle server, WarmUp warmUp, Duration measured) {
    this.server = server;
    this.warmUp = warmUp;
    progress = warmUp.begin();
    this.measured = measured;
  }

  /** Reads the arguments that each load generator has: port, process, warm-up, nanoseconds. */
  public static LoadMeter of(String[] arguments) {
    long pid = Long.parseLong(arguments[1]);
    ProcessHandle server =
        ProcessHandle.of(pid).orElseThrow(() -> new IllegalArgumentException("no process: " + pid));
    return new LoadMeter(
        server, WarmUp.of(arguments[2]), Duration.ofNanos(Long.parseLong(arguments[3])));
  }

  static List<String> arguments(String port, long pid, ComparisonOptions options) {
    return List.of(
        port,
        Long.toString(pid),
        options.warmUp().argument(),
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
    if (now - begun > patience(warmUp, measured).toNanos()) {
      throw new IllegalStateException(
          "nothing measured, " + completed + " completed in " + Duration.ofNanos(now - begun));
    }
    if (!measuring) {
      if (completed > 0 && progress.isOver(completed, now - begun, cpu())) {
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

  static boolean isLongEnough(Duration wanted, long time, long cpu) {
    return cpu >= wanted.toNanos() || time >= LONGEST * wanted.toNanos();
  }

  /** Returns the longest time until there is a result. */
  static Duration patience(ComparisonOptions options) {
    return patience(options.warmUp(), options.measured());
  }

  private static Duration patience(WarmUp warmUp, Duration measured) {
    return warmUp.most().plus(measured).multipliedBy(LONGEST).plus(PATIENCE);
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
