package dev.mullion.framing.testing.comparison;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;

import dev.mullion.framing.testing.comparison.Comparison.Server;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What a connection costs its server while nothing moves: live heap, by the histogram that the JVM
 * prints after a collection, and resident memory, by the kernel. Half of the connections have had
 * one frame echoed. The last server is the one that the others are compared with.
 */
public final class IdleConnections {
  private static final Duration START = Duration.ofMinutes(1);
  private static final int WARM_UP = 500;
  private static final byte[] FRAME = new byte[20];
  private static final Pattern ROW =
      Pattern.compile("^ *\\d+: +(\\d+) +(\\d+) +(\\S+)", Pattern.MULTILINE);

  static {
    FRAME[3] = 16;
  }

  private final List<Server> servers;
  private final int connections;
  private final int rounds;
  private final ComparisonOptions options;

  /** What the JVM and the kernel say of a server. */
  private record Memory(Map<String, long[]> classes, long resident) {
    long live() {
      return classes.values().stream().mapToLong(each -> each[1]).sum();
    }
  }

  private IdleConnections(List<Server> servers, int connections, int rounds) {
    this.servers = servers;
    this.connections = connections;
    this.rounds = rounds;
    ComparisonOptions defaults = ComparisonOptions.parse();
    options = new ComparisonOptions(
        rounds,
        defaults.measured(),
        defaults.warmUp(),
        List.of(),
        List.of(),
        false,
        false,
        defaults.directory(),
        defaults.classPath(),
        List.of("-Xmx256m"));
  }

  /** The whole program; its arguments are the numbers of connections and rounds. */
  public static void run(List<Server> servers, String... arguments) throws Exception {
    int connections = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 8000;
    int rounds = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 3;
    new IdleConnections(servers, connections, rounds).run();
  }

  private void run() throws Exception {
    Map<String, List<long[]>> all = new LinkedHashMap<>();
    for (int round = 1; round <= rounds; round++) {
      for (Server server : servers) {
        long[] cost = measure(server, round == 1);
        all.computeIfAbsent(server.name(), name -> new ArrayList<>()).add(cost);
        System.out.println("round " + round + ": " + server.name() + " " + cost[0]
            + " bytes of live heap and " + cost[1] + " resident for each connection");
      }
    }
    List<long[]> base = requireNonNull(all.get(servers.get(servers.size() - 1).name()));
    System.out.println("\n| " + connections + " idle connections | live heap, bytes each"
        + " | resident, bytes each |\n| --- | --- | --- |");
    all.forEach((name, costs) -> System.out.println(
        "| " + name + " | " + cell(costs, base, 0) + " | " + cell(costs, base, 1) + " |"));
  }

  private static String cell(List<long[]> costs, List<long[]> base, int which) {
    List<Double> ratios = new ArrayList<>();
    for (int i = 0; i < costs.size(); i++) {
      ratios.add(costs.get(i)[which] / (double) base.get(i)[which]);
    }
    ratios.sort(null);
    long[] sorted = costs.stream().mapToLong(each -> each[which]).sorted().toArray();
    return String.format(
        Locale.ROOT,
        "%d = **%.2f** (%.2f to %.2f)",
        sorted[sorted.length / 2],
        ratios.get(ratios.size() / 2),
        ratios.get(0),
        ratios.get(ratios.size() - 1));
  }

  private long[] measure(Server server, boolean print) throws Exception {
    try (ChildJvm serving =
        ChildJvm.start(options, -1, server.main(), List.of(server.kind(), "0"))) {
      int port = Integer.parseInt(serving.awaitLine("listening on ", START));
      close(open(port, WARM_UP));
      Memory before = quiet(serving.pid());
      List<Socket> sockets = open(port, connections);
      try {
        Memory after = quiet(serving.pid());
        if (print) {
          System.out.println(histogram(server.name(), before, after));
        }
        return new long[] {
          (after.live() - before.live()) / connections,
          (after.resident() - before.resident()) / connections
        };
      } finally {
        close(sockets);
      }
    }
  }

  private static List<Socket> open(int port, int count) throws IOException {
    List<Socket> sockets = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
      sockets.add(socket);
      if (i % 2 == 0) {
        socket.getOutputStream().write(FRAME);
        new DataInputStream(socket.getInputStream()).readFully(new byte[FRAME.length]);
      }
    }
    return sockets;
  }

  private static void close(List<Socket> sockets) throws IOException {
    for (Socket socket : sockets) {
      socket.close();
    }
  }

  /** Measures until what is live no longer changes: events of connections may be on their way. */
  private static Memory quiet(long pid) throws IOException, InterruptedException {
    Memory last = memory(pid);
    for (int i = 0; i < 20; i++) {
      Memory next = memory(pid);
      if (Math.abs(next.live() - last.live()) < 4096) {
        return next;
      }
      last = next;
    }
    throw new IOException("live heap of process " + pid + " does not settle: " + last.live());
  }

  private static Memory memory(long pid) throws IOException, InterruptedException {
    Process jcmd = new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
            Long.toString(pid),
            "GC.class_histogram")
        .redirectErrorStream(true)
        .start();
    String printed = new String(jcmd.getInputStream().readAllBytes(), UTF_8);
    if (jcmd.waitFor() != 0) {
      throw new IOException("jcmd: " + printed);
    }
    Map<String, long[]> classes = new LinkedHashMap<>();
    Matcher rows = ROW.matcher(printed);
    while (rows.find()) {
      long[] row = {Long.parseLong(rows.group(1)), Long.parseLong(rows.group(2))};
      classes.put(rows.group(3), row);
    }
    return new Memory(classes, resident(pid));
  }

  private static long resident(long pid) throws IOException {
    try (Stream<String> lines = Files.lines(Path.of("/proc/" + pid + "/status"))) {
      return lines
          .filter(line -> line.startsWith("VmRSS:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
          .findFirst()
          .orElseThrow();
    }
  }

  private String histogram(String name, Memory before, Memory after) {
    long[] none = {0, 0};
    return after.classes().entrySet().stream()
        .map(entry -> {
          long[] earlier = before.classes().getOrDefault(entry.getKey(), none);
          long[] now = entry.getValue();
          return Map.entry(entry.getKey(), new long[] {now[0] - earlier[0], now[1] - earlier[1]});
        })
        .filter(entry -> entry.getValue()[1] >= connections)
        .sorted(Comparator.comparingLong(entry -> -entry.getValue()[1]))
        .map(entry -> String.format(
            Locale.ROOT,
            "%8.1f bytes %6.2f objects  %s",
            entry.getValue()[1] / (double) connections,
            entry.getValue()[0] / (double) connections,
            entry.getKey()))
        .collect(Collectors.joining("\n", name + ", for each connection:\n", "\n"));
  }
}
