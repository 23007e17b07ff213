package dev.mullion.framing.testing.comparison;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/**
 * What a comparison measured: a file of comma-separated values, whose first lines are comments.
 *
 * @param header the values that describe it
 */
public record Results(Map<String, String> header, List<Run> runs) {
  private static final String COLUMNS = "load,server,round,completed,seconds,cpu_seconds";

  /**
   * One measurement.
   *
   * @param completed how many frames or calls
   * @param seconds in which time
   * @param cpuSeconds of the server's process
   */
  public record Run(
      String load, String server, int round, long completed, double seconds, double cpuSeconds) {
    static Run of(String load, String server, int round, String result) {
      String[] values = result.split(" ", -1);
      return new Run(
          load,
          server,
          round,
          Long.parseLong(values[0]),
          Double.parseDouble(values[1]),
          Double.parseDouble(values[2]));
    }

    /** Returns the same with another name of its load. */
    Run named(String otherLoad) {
      return new Run(otherLoad, server, round, completed, seconds, cpuSeconds);
    }

    /** Returns how many were completed per second of the server's CPU time. */
    public double perCpuSecond() {
      return completed / cpuSeconds;
    }

    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "%s, %s: %,.0f per second, %,.0f per second of CPU time",
          load,
          server,
          completed / seconds,
          perCpuSecond());
    }

    private String line() {
      return String.format(
          Locale.ROOT,
          "%s,%s,%d,%d,%.3f,%.2f",
          load,
          server,
          round,
          completed,
          seconds,
          cpuSeconds);
    }
  }

  /** The middle of several values, and the least and the greatest one. */
  record Spread(double least, double median, double greatest) {
    static Spread of(List<Double> values) {
      List<Double> sorted = values.stream().sorted().toList();
      int half = sorted.size() / 2;
      double median =
          sorted.size() % 2 == 1 ? sorted.get(half) : (sorted.get(half - 1) + sorted.get(half)) / 2;
      return new Spread(sorted.get(0), median, sorted.get(sorted.size() - 1));
    }
  }

  /** Reads what {@link #write} wrote. */
  public static Results read(Path file) throws IOException {
    Map<String, String> header = new LinkedHashMap<>();
    List<Run> runs = new ArrayList<>();
    for (String line : Files.readAllLines(file)) {
      if (line.startsWith("# ")) {
        String[] pair = line.substring(2).split(": ", 2);
        header.put(pair[0], pair[1]);
      } else if (!line.equals(COLUMNS)) {
        String[] values = line.split(",", -1);
        String result = String.join(" ", values[3], values[4], values[5]);
        runs.add(Run.of(values[0], values[1], Integer.parseInt(values[2]), result));
      }
    }
    return new Results(header, runs);
  }

  void write(Path file) throws IOException {
    List<String> lines = new ArrayList<>();
    header.forEach((name, value) -> lines.add("# " + name + ": " + value));
    lines.add(COLUMNS);
    runs.forEach(run -> lines.add(run.line()));
    Files.write(file, lines);
  }

  /** Returns these results, with those of the loads that the others have replaced by them. */
  Results with(Results others) {
    List<String> replaced = others.loads();
    List<Run> merged = new ArrayList<>();
    for (String load : loads()) {
      Results from = replaced.contains(load) ? others : this;
      from.runs.stream().filter(run -> run.load().equals(load)).forEach(merged::add);
    }
    List<String> present = loads();
    others.runs.stream().filter(run -> !present.contains(run.load())).forEach(merged::add);
    return new Results(header, merged);
  }

  List<String> loads() {
    return runs.stream().map(Run::load).distinct().toList();
  }

  List<String> servers() {
    return runs.stream().map(Run::server).distinct().toList();
  }

  String header(String name) {
    String value = header.get(name);
    if (value == null) {
      throw new IllegalStateException("no line \"# " + name + ": ...\"");
    }
    return value;
  }

  private Spread perCpuSecond(String load, String server) {
    return spread(run -> run.load().equals(load) && run.server().equals(server), Run::perCpuSecond);
  }

  /** Compares with the base of the same round, so that what slows both down leaves it as it is. */
  Spread ratio(String load, String server) {
    Map<Integer, Double> base = runs.stream()
        .filter(run -> run.load().equals(load) && run.server().equals(header("base")))
        .collect(Collectors.toMap(Run::round, Run::perCpuSecond));
    return spread(
        run -> run.load().equals(load) && run.server().equals(server),
        run -> run.perCpuSecond() / base.getOrDefault(run.round(), Double.NaN));
  }

  private Spread spread(Predicate<Run> which, ToDoubleFunction<Run> value) {
    return Spread.of(runs.stream().filter(which).map(value::applyAsDouble).toList());
  }

  /** Returns the table for a README, with a line on how it was measured. */
  public String markdown() {
    StringBuilder text = new StringBuilder("| load | ");
    text.append(String.join(" | ", servers())).append(" |\n|");
    text.append(" --- |".repeat(servers().size() + 1)).append('\n');
    for (String load : loads()) {
      text.append("| ").append(load).append(" |");
      for (String server : servers()) {
        text.append(' ').append(cell(load, server)).append(" |");
      }
      text.append('\n');
    }
    return text.append("\nMeasured on: ")
        .append(header("machine"))
        .append(". ")
        .append(header("method"))
        .append(".\n")
        .toString();
  }

  private String cell(String load, String server) {
    double median = perCpuSecond(load, server).median();
    if (server.equals(header("base"))) {
      return String.format(Locale.ROOT, "%,.0f", median);
    }
    Spread ratio = ratio(load, server);
    return String.format(
        Locale.ROOT,
        "%,.0f = **%.2f** (%.2f to %.2f)",
        median,
        ratio.median(),
        ratio.least(),
        ratio.greatest());
  }
}
