package dev.mullion.framing.testing.comparison;

import dev.mullion.framing.testing.comparison.Comparison.Server;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Several comparisons of two servers each, one after the other.
 *
 * @param name the start of the names of the files with the results
 */
public record ComparisonSet(String name, List<Comparison> comparisons) {
  /** The whole program: measures, writes a file for each comparison, and prints one table. */
  public void run(String... arguments) throws IOException, InterruptedException {
    ComparisonOptions options;
    try {
      options = ComparisonOptions.parse(arguments);
      check(options);
    } catch (IllegalArgumentException e) {
      System.err.println(e.getMessage());
      System.err.println(ComparisonOptions.USAGE);
      System.exit(2);
      return;
    }
    Comparison.endChildrenAtExit();
    Files.createDirectories(options.directory());
    Map<String, Results> all = measure(options);
    int number = 1;
    for (Results each : all.values()) {
      each.write(options.directory().resolve(name + "-" + number++ + ".csv"));
    }
    System.out.println("\n" + table(all) + "\n" + shortfalls(all));
  }

  /** Measures each comparison that has one of the loads. */
  public Map<String, Results> measure(ComparisonOptions options)
      throws IOException, InterruptedException {
    Map<String, Results> all = new LinkedHashMap<>();
    for (Comparison each : comparisons) {
      List<String> loads = new ArrayList<>(each.loadNames());
      if (!options.loads().isEmpty()) {
        loads.retainAll(options.loads());
      }
      if (!loads.isEmpty() && options.wants(each.title())) {
        System.out.println(each.title());
        all.put(each.title(), each.measure(options.only(loads)));
      }
    }
    return all;
  }

  private void check(ComparisonOptions options) {
    List<String> titles = comparisons.stream().map(Comparison::title).toList();
    if (titles.stream().noneMatch(options::wants)) {
      throw new IllegalArgumentException(
          "--ways: " + options.ways() + " (expected: beginnings of " + titles + ")");
    }
    List<String> known = comparisons.stream()
        .flatMap(each -> each.loadNames().stream())
        .distinct()
        .toList();
    for (String load : options.loads()) {
      if (!known.contains(load)) {
        throw new IllegalArgumentException("--loads: " + load + " (expected: of " + known + ")");
      }
    }
  }

  /** Returns one row for each way and load. */
  public static String table(Map<String, Results> all) {
    StringBuilder text =
        new StringBuilder("| way | load | ours / Netty's |\n| --- | --- | --- |\n");
    String machine = "";
    for (Map.Entry<String, Results> each : all.entrySet()) {
      Results results = each.getValue();
      machine = results.header("machine") + ". " + results.header("method");
      for (String load : results.loads()) {
        Results.Spread ratio = ratio(results, load);
        text.append(String.format(
            Locale.ROOT,
            "| %s | %s | **%.2f** (%.2f to %.2f) |%n",
            each.getKey(),
            load,
            ratio.median(),
            ratio.least(),
            ratio.greatest()));
      }
    }
    return text.append("\nMeasured on: ").append(machine).append(".\n").toString();
  }

  /** Returns what is below 1. */
  static String shortfalls(Map<String, Results> all) {
    List<String> below = new ArrayList<>();
    all.forEach((way, results) -> {
      for (String load : results.loads()) {
        double ratio = ratio(results, load).median();
        if (ratio < 1) {
          below.add(String.format(Locale.ROOT, "%s, %s: %.2f", way, load, ratio));
        }
      }
    });
    return below.isEmpty() ? "none is below 1" : "below 1:\n  " + String.join("\n  ", below);
  }

  /** The first server compared with the last. */
  private static Results.Spread ratio(Results results, String load) {
    return results.ratio(load, results.servers().get(0));
  }

  /** Returns our server and Netty's, for {@link Comparison#servers}. */
  public static List<Server> pair(Class<?> ours, String kind, Class<?> nettys, String nettysKind) {
    return List.of(new Server("Mullion", ours, kind), new Server("Netty", nettys, nettysKind));
  }
}
