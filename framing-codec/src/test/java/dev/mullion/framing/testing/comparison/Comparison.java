package dev.mullion.framing.testing.comparison;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Servers that do the same work, measured in turn, round after round.
 *
 * <p>A server's main class gets its arguments and port 0, and prints {@code listening on <port>}.
 * That of the load generator gets what {@link LoadMeter#of} reads, then the arguments of its load,
 * and prints {@link LoadMeter#result()}. Each runs in a new JVM for each measurement.
 *
 * @param title what is compared
 * @param unit what is counted
 * @param generator the load generator's main class
 * @param servers the last one is the one that the others are compared with
 */
public record Comparison(
    String title, String unit, Class<?> generator, List<Load> loads, List<Server> servers) {
  private static final Duration START = Duration.ofMinutes(1);

  /**
   * One kind of load.
   *
   * @param name its first word selects it
   * @param arguments the load generator's, behind those of the {@link LoadMeter}
   */
  public record Load(String name, List<String> arguments) {
    String shortName() {
      return name.split(" ", 2)[0];
    }
  }

  /**
   * One of the servers.
   *
   * @param main its main class
   * @param kind the first argument, before the port
   */
  public record Server(String name, Class<?> main, String kind) {}

  /** Returns a comparison of some of the servers, by their names. */
  public Comparison only(String... names) {
    List<Server> some =
        servers.stream().filter(each -> List.of(names).contains(each.name())).toList();
    return new Comparison(title, unit, generator, loads, some);
  }

  /** The whole program: measures, writes {@code <name>.csv} and prints the table. */
  public void run(String name, String[] arguments) throws IOException, InterruptedException {
    ComparisonOptions options;
    try {
      options = ComparisonOptions.parse(arguments);
      selected(options);
    } catch (IllegalArgumentException e) {
      System.err.println(e.getMessage());
      System.err.println(ComparisonOptions.USAGE);
      System.exit(2);
      return;
    }
    endChildrenAtExit();
    Results results = measure(options);
    Path csv = options.directory().resolve(name + ".csv");
    Files.createDirectories(options.directory());
    results.write(csv);
    System.out.println("\n" + results.markdown() + "\nwritten to " + csv);
  }

  static void endChildrenAtExit() {
    Runtime.getRuntime()
        .addShutdownHook(new Thread(
            () -> ProcessHandle.current().children().forEach(ProcessHandle::destroyForcibly)));
  }

  /** Measures each server under each load. */
  public Results measure(ComparisonOptions options) throws IOException, InterruptedException {
    List<Load> selected = selected(options);
    boolean pinned = options.pinned() && ChildJvm.canBePinned();
    List<Results.Run> runs = new ArrayList<>();
    for (int round = 1; round <= options.rounds(); round++) {
      for (Load load : selected) {
        for (Server server : servers) {
          Results.Run run = measure(options, pinned, round, load, server);
          System.out.println("round " + round + " of " + options.rounds() + ": " + run);
          runs.add(run);
        }
      }
    }
    return new Results(header(options), runs);
  }

  /** Returns what describes the results. */
  Map<String, String> header(ComparisonOptions options) throws IOException, InterruptedException {
    Map<String, String> header = new LinkedHashMap<>();
    header.put("title", title);
    header.put("unit", unit);
    header.put("base", servers.get(servers.size() - 1).name());
    header.put("machine", Machine.description());
    header.put("method", options.description(options.pinned() && ChildJvm.canBePinned()));
    return header;
  }

  List<String> loadNames() {
    return loads.stream().map(Load::shortName).toList();
  }

  private List<Load> selected(ComparisonOptions options) {
    List<String> names = loadNames();
    for (String each : options.loads()) {
      if (!names.contains(each)) {
        throw new IllegalArgumentException("--loads: " + each + " (expected: of " + names + ")");
      }
    }
    return loads.stream()
        .filter(load -> options.loads().isEmpty() || options.loads().contains(load.shortName()))
        .toList();
  }

  private Results.Run measure(
      ComparisonOptions options, boolean pinned, int round, Load load, Server server)
      throws IOException, InterruptedException {
    Duration patience = LoadMeter.patience(options);
    try (ChildJvm serving =
        ChildJvm.start(options, pinned ? 0 : -1, server.main(), List.of(server.kind(), "0"))) {
      String port = serving.awaitLine("listening on ", START);
      List<String> arguments = Stream.concat(
              LoadMeter.arguments(port, serving.pid(), options).stream(), load.arguments().stream())
          .toList();
      try (ChildJvm loading = ChildJvm.start(options, pinned ? 1 : -1, generator, arguments)) {
        String result = loading.awaitLine(LoadMeter.RESULT, patience.plus(START));
        return Results.Run.of(load.name(), server.name(), round, result);
      }
    }
  }
}
