package dev.mullion.framing.testing.comparison;

import java.io.File;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * How to measure.
 *
 * @param loads names of loads; all if there are none
 * @param ways beginnings of the titles of comparisons, if there are several; all if there are none
 * @param merges whether the results of some loads or ways replace those of the same in the file
 * @param pinned whether a server has one core and its load another, where the system can do that
 * @param directory where the results are written
 * @param classPath of all processes
 * @param jvmOptions of all processes
 */
public record ComparisonOptions(
    int rounds,
    Duration measured,
    WarmUp warmUp,
    List<String> loads,
    List<String> ways,
    boolean merges,
    boolean pinned,
    Path directory,
    String classPath,
    List<String> jvmOptions) {
  static final String USAGE = "options: --rounds 5 --seconds 4 --warmup 6 --loads NAME,NAME"
      + " --ways TITLE,TITLE --merge false --pinned true --directory target/performance";

  /** Reads a command line. */
  static ComparisonOptions parse(String... arguments) {
    int rounds = 5;
    Duration measured = Duration.ofSeconds(4);
    WarmUp warmUp = WarmUp.fixed(Duration.ofSeconds(6));
    List<String> loads = List.of();
    List<String> ways = List.of();
    boolean merges = false;
    boolean pinned = true;
    Path directory = Path.of("target", "performance");
    for (int i = 0; i < arguments.length; i += 2) {
      String name = arguments[i];
      if (i + 1 == arguments.length) {
        throw new IllegalArgumentException(name + ": no value follows");
      }
      String value = arguments[i + 1];
      switch (name) {
        case "--rounds" -> rounds = Integer.parseInt(value);
        case "--seconds" -> measured = seconds(value);
        case "--warmup" -> warmUp = WarmUp.ofSeconds(value);
        case "--loads" -> loads = List.of(value.split(","));
        case "--ways" -> ways = List.of(value.split(","));
        case "--merge" -> merges = Boolean.parseBoolean(value);
        case "--pinned" -> pinned = Boolean.parseBoolean(value);
        case "--directory" -> directory = Path.of(value);
        default -> throw new IllegalArgumentException("unknown option: " + name);
      }
    }
    if (rounds < 1) {
      throw new IllegalArgumentException("--rounds: " + rounds + " (expected: > 0)");
    }
    return new ComparisonOptions(
        rounds,
        measured,
        warmUp,
        loads,
        ways,
        merges,
        pinned,
        directory,
        ownClassPath(),
        List.of());
  }

  /** One load, for a moment: to see that the programs run. */
  public static ComparisonOptions shortest(String load) {
    return new ComparisonOptions(
        1,
        Duration.ofMillis(200),
        WarmUp.fixed(Duration.ZERO),
        List.of(load),
        List.of(),
        false,
        false,
        Path.of("target"),
        ownClassPath(),
        List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"));
  }

  /** Surefire has part of it on the module path, and test classes as a patch of their module. */
  private static String ownClassPath() {
    Stream<String> paths = Stream.of(
            "surefire.test.class.path", "jdk.module.path", "java.class.path")
        .map(name -> System.getProperty(name, ""));
    String patch = String.join(File.pathSeparator, "target/test-classes", "target/classes");
    return Stream.concat(paths, Stream.of(patch))
        .flatMap(each -> Stream.of(each.split(File.pathSeparator)))
        .filter(path -> !path.isEmpty())
        .distinct()
        .collect(Collectors.joining(File.pathSeparator));
  }

  /** Returns the same for some of the loads. */
  ComparisonOptions only(List<String> some) {
    return new ComparisonOptions(
        rounds, measured, warmUp, some, ways, merges, pinned, directory, classPath, jvmOptions);
  }

  /** Returns whether only some of the loads or comparisons are measured. */
  boolean isPartial() {
    return !loads.isEmpty() || !ways.isEmpty();
  }

  /** Returns whether a comparison is wanted. */
  boolean wants(String title) {
    return ways.isEmpty() || ways.stream().anyMatch(title::startsWith);
  }

  static Duration seconds(String value) {
    double seconds = Double.parseDouble(value);
    if (seconds < 0 || seconds > 3600) {
      throw new IllegalArgumentException("seconds: " + value + " (expected: 0..3600)");
    }
    return Duration.ofNanos((long) (seconds * 1e9));
  }

  String description(boolean pinnedIndeed) {
    return String.format(
        Locale.ROOT,
        "%d round%s of %.1f s of its CPU time after %s, a new server each time%s",
        rounds,
        rounds == 1 ? "" : "s",
        measured.toNanos() / 1e9,
        warmUp.description(),
        pinnedIndeed ? ", server on one core and load generator on another" : "");
  }
}
