package dev.mullion.framing.testing.comparison;

import dev.mullion.framing.testing.comparison.Comparison.Server;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Several comparisons of two servers each, one after the other. Their results are in one file: its
 * loads are named {@code <title>: <load>}.
 *
 * @param name the name of the file with the results
 */
public record ComparisonSet(String name, List<Comparison> comparisons) {
  private static final String SEPARATOR = ": ";

  /**
   * The whole program: measures, writes {@code <name>.csv}, prints the table, and puts it into the
   * README next to the directory, if that has a place for it. If only some loads or ways are
   * measured, they replace the same ones with {@code --merge true}; otherwise it writes
   * {@code <name>-part.csv} and leaves the README as it is.
   */
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
    Results all = measure(options);
    System.out.println("\n" + table(all) + "\n" + shortfalls(all) + "\n" + write(all, options));
  }

  /** Returns what is written where. */
  String write(Results all, ComparisonOptions options) throws IOException {
    Path directory = options.directory();
    if (options.isPartial() && !options.merges()) {
      Path part = directory.resolve(name + "-part.csv");
      all.write(part);
      return "written to " + part + "; README.md shows complete runs only";
    }
    Path csv = directory.resolve(name + ".csv");
    Results merged = options.merges() && Files.exists(csv) ? Results.read(csv).with(all) : all;
    merged.write(csv);
    boolean shown = PerformancePage.replaceTable(directory, name + ".csv", table(merged));
    return "written to " + csv
        + (shown
            ? " and README.md"
            : "; there is no README.md with <!-- " + name + ".csv --> beside the directory");
  }

  /** Measures each comparison that has one of the loads. */
  public Results measure(ComparisonOptions options) throws IOException, InterruptedException {
    Map<String, String> header = new LinkedHashMap<>();
    List<Results.Run> runs = new ArrayList<>();
    for (Comparison each : comparisons) {
      List<String> loads = new ArrayList<>(each.loadNames());
      if (!options.loads().isEmpty()) {
        loads.retainAll(options.loads());
      }
      if (!loads.isEmpty() && options.wants(each.title())) {
        System.out.println(each.title());
        Results results = each.measure(options.only(loads));
        header.putAll(results.header());
        results.runs().forEach(run -> runs.add(run.named(each.title() + SEPARATOR + run.load())));
      }
    }
    header.put("title", name);
    return new Results(header, runs);
  }

  /** What is merged must have been measured in the same way. */
  void checkMerge(ComparisonOptions options) throws IOException, InterruptedException {
    Path csv = options.directory().resolve(name + ".csv");
    if (!Files.exists(csv)) {
      return;
    }
    Results present = Results.read(csv);
    Map<String, String> header = comparisons.get(0).header(options);
    for (String line : List.of("machine", "method")) {
      if (!present.header(line).equals(header.get(line))) {
        throw new IllegalArgumentException("--merge: " + csv + " has " + line + " \""
            + present.header(line) + "\" (expected: \"" + header.get(line) + "\")");
      }
    }
  }

  private void check(ComparisonOptions options) throws IOException, InterruptedException {
    if (options.merges()) {
      checkMerge(options);
    }
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

  /** Returns a table with a row for each way and a column for each size, for a README. */
  public static String table(Results all) {
    Map<String, Map<String, String>> rows = new LinkedHashMap<>();
    Set<String> sizes = new LinkedHashSet<>();
    for (String load : all.loads()) {
      String[] names = load.split(SEPARATOR, 2);
      String size = names[1].split(" ", 2)[0];
      sizes.add(size);
      rows.computeIfAbsent(names[0], way -> new LinkedHashMap<>()).put(size, cell(all, load));
    }
    StringBuilder text = new StringBuilder("| way | ");
    text.append(String.join(" | ", sizes)).append(" |\n|");
    text.append(" --- |".repeat(sizes.size() + 1)).append('\n');
    rows.forEach((way, cells) -> {
      text.append("| ").append(way).append(" |");
      sizes.forEach(
          size -> text.append(' ').append(cells.getOrDefault(size, "")).append(" |"));
      text.append('\n');
    });
    return text.append("\nMeasured on: " + all.header("machine") + ". " + all.header("method"))
        .append(".\n")
        .toString();
  }

  private static String cell(Results all, String load) {
    Results.Spread ratio = ratio(all, load);
    return String.format(
        Locale.ROOT, "**%.2f** (%.2f to %.2f)", ratio.median(), ratio.least(), ratio.greatest());
  }

  /** Returns what is below 1. */
  static String shortfalls(Results all) {
    List<String> below = all.loads().stream()
        .filter(load -> ratio(all, load).median() < 1)
        .map(load -> load + " " + cell(all, load))
        .toList();
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
