package dev.mullion.messaging.rabbitmq;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import dev.mullion.messaging.testing.JavaProcess;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A RabbitMQ of its own on loopback, from the scripts of Debian's package: {@code
 * rabbitmq.home} names their folder, else it is looked for. {@code rabbitmq.required} makes tests
 * fail where there is none.
 */
final class Broker implements AutoCloseable {
  static final String NOT_FOUND = "no RabbitMQ found: neither -Drabbitmq.home nor"
      + " /usr/lib/rabbitmq/lib has sbin/rabbitmq-server";

  /** The broker, and rabbitmqctl too, listen for other nodes. */
  private static final String ON_LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}";

  private static final Duration START = Duration.ofSeconds(90);
  private static final Duration STOP = Duration.ofSeconds(60);
  private static @Nullable Broker shared;

  private final Path scripts;
  private final Path directory;
  private final String name;
  private final int port;
  private final int distPort;
  private final int epmdPort;
  private final Thread hook = new Thread(this::end, "end-of-rabbitmq");
  private final Set<String> users = ConcurrentHashMap.newKeySet();
  private @Nullable Process process;

  private Broker(Path scripts, int epmdPort) throws IOException {
    this.scripts = scripts;
    this.directory = Files.createTempDirectory("mullion-rabbitmq");
    this.port = JavaProcess.freePort();
    this.distPort = JavaProcess.freePort();
    this.epmdPort = epmdPort;
    this.name = "mullion" + port + "@localhost";
    Files.createDirectories(directory.resolve("home"));
    Files.writeString(directory.resolve("plugins"), "[].");
    Files.writeString(
        directory.resolve("rabbitmq.conf"),
        "disk_free_limit.absolute = 50MB\nmax_message_size = 8388608\n");
  }

  /** Returns the one that all tests of this process share, or skips the test with the reason. */
  static synchronized Broker shared() throws Exception {
    Broker known = shared;
    if (known == null) {
      known = start();
      shared = known;
    }
    return known;
  }

  /** Starts one, or skips the test with the reason. */
  static Broker start() throws Exception {
    return start("");
  }

  /** Starts one with further lines of configuration. */
  static Broker start(String configuration) throws Exception {
    Broker broker = create(JavaProcess.freePort());
    Files.writeString(
        broker.directory.resolve("rabbitmq.conf"), configuration, StandardOpenOption.APPEND);
    broker.startNode();
    return broker;
  }

  /** Returns one that ends with this process, if it is not closed before. */
  private static Broker create(int epmdPort) throws IOException {
    Broker broker = new Broker(scripts(), epmdPort);
    Runtime.getRuntime().addShutdownHook(broker.hook);
    return broker;
  }

  /** Starts nodes that are one broker, or skips the test with the reason. */
  static List<Broker> cluster(int size) throws Exception {
    int epmdPort = JavaProcess.freePort();
    List<Broker> nodes = new ArrayList<>();
    for (int i = 0; i < size; i++) {
      nodes.add(create(epmdPort));
    }
    StringBuilder discovery =
        new StringBuilder("cluster_formation.peer_discovery_backend = classic_config\n");
    for (int i = 0; i < size; i++) {
      discovery.append("cluster_formation.classic_config.nodes." + (i + 1) + " = ");
      discovery.append(nodes.get(i).name).append('\n');
    }
    for (Broker node : nodes) {
      Files.writeString(
          node.directory.resolve("rabbitmq.conf"), discovery, StandardOpenOption.APPEND);
      Path cookie = Files.writeString(node.directory.resolve("home/.erlang.cookie"), "" + epmdPort);
      Files.setPosixFilePermissions(cookie, Set.of(PosixFilePermission.OWNER_READ));
      node.startNode(); // the first one is alone, the others join it
    }
    return nodes;
  }

  /** Returns whether there is one to start; fails where it is required and there is none. */
  static boolean isFound() {
    boolean found = find().isPresent();
    if (!found && Boolean.getBoolean("rabbitmq.required")) {
      throw new IllegalStateException(NOT_FOUND);
    }
    return found;
  }

  private static Path scripts() {
    assumeTrue(isFound(), NOT_FOUND);
    return find().orElseThrow();
  }

  private static Optional<Path> find() {
    String home = System.getProperty("rabbitmq.home", "");
    if (!home.isEmpty()) {
      return Optional.of(Path.of(home, "sbin")).filter(Broker::hasServer);
    }
    Path packaged = Path.of("/usr/lib/rabbitmq/lib");
    if (!Files.isDirectory(packaged)) {
      return Optional.empty();
    }
    try (Stream<Path> versions = Files.list(packaged)) {
      return versions
          .map(each -> each.resolve("sbin"))
          .filter(Broker::hasServer)
          .findFirst();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean hasServer(Path scripts) {
    return Files.isExecutable(scripts.resolve("rabbitmq-server"));
  }

  String address() {
    return "127.0.0.1:" + port;
  }

  int port() {
    return port;
  }

  /** Starts the node, and waits until it takes connections. */
  void startNode() throws Exception {
    ProcessBuilder builder = builder(List.of(scripts.resolve("rabbitmq-server").toString()));
    process = builder.redirectOutput(directory.resolve("out").toFile()).start();
    long end = System.nanoTime() + START.toNanos();
    while (!accepts()) {
      if (!process.isAlive() || System.nanoTime() - end > 0) {
        throw new IllegalStateException(
            "RabbitMQ did not start: " + Files.readString(directory.resolve("out")));
      }
      TimeUnit.MILLISECONDS.sleep(100);
    }
  }

  private ProcessBuilder builder(List<String> command) {
    ProcessBuilder builder = new ProcessBuilder(command)
        .directory(directory.toFile())
        .redirectErrorStream(true)
        .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()));
    Map<String, String> environment = builder.environment();
    environment.put("RABBITMQ_NODENAME", name);
    environment.put("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1");
    environment.put("RABBITMQ_NODE_PORT", "" + port);
    environment.put("RABBITMQ_DIST_PORT", "" + distPort);
    environment.put("ERL_EPMD_PORT", "" + epmdPort);
    environment.put("ERL_EPMD_ADDRESS", "127.0.0.1");
    environment.put("RABBITMQ_MNESIA_BASE", path("mnesia"));
    environment.put("RABBITMQ_LOG_BASE", path("log"));
    environment.put("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"));
    environment.put("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"));
    environment.put("RABBITMQ_CONF_ENV_FILE", path("none"));
    environment.put("RABBITMQ_PID_FILE", path("pid"));
    environment.put("HOME", path("home"));
    environment.put("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ON_LOOPBACK);
    environment.put("RABBITMQ_CTL_ERL_ARGS", ON_LOOPBACK);
    return builder;
  }

  private String path(String file) {
    return directory.resolve(file).toString();
  }

  private boolean accepts() {
    ConnectionFactory factory = new ConnectionFactory();
    factory.setHost("127.0.0.1");
    factory.setPort(port);
    factory.setConnectionTimeout(1000);
    factory.setAutomaticRecoveryEnabled(false);
    try (Connection connection = factory.newConnection("probe")) {
      return connection.isOpen();
    } catch (IOException | TimeoutException | RuntimeException e) {
      return false;
    }
  }

  /** Runs {@code rabbitmqctl}, and returns its output. */
  String control(String... arguments) throws Exception {
    List<String> command =
        new ArrayList<>(List.of(scripts.resolve("rabbitmqctl").toString()));
    command.addAll(List.of("-n", name));
    command.addAll(List.of(arguments));
    Process running = builder(command).start();
    String output = new String(running.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (running.waitFor() != 0) {
      throw new IllegalStateException(command + ": " + output);
    }
    return output;
  }

  /** Makes a quorum queue answer nothing until it is resumed. */
  void suspend(String queue) throws Exception {
    control("eval", "sys:suspend('%2F_" + queue + "').");
  }

  void resume(String queue) throws Exception {
    control("eval", "sys:resume('%2F_" + queue + "').");
  }

  /** Adds a user with the password "secret", if a test that runs again has not. */
  void addUser(String user) throws Exception {
    if (users.add(user)) {
      control("add_user", user, "secret");
    }
  }

  /** Returns the one that this process shares, unless no test has asked for it. */
  static synchronized @Nullable Broker running() {
    return shared;
  }

  /** Returns the lines of its log. */
  List<String> log() throws IOException {
    Path file = directory.resolve("log").resolve(name + ".log");
    return Files.exists(file) ? Files.readAllLines(file, StandardCharsets.ISO_8859_1) : List.of();
  }

  /**
   * Waits until all queues that are there are written down. RabbitMQ does this a moment after it
   * has created a queue; one that is killed before that has lost the queue, with what it had
   * confirmed. It writes all of them at once, so this creates one more and looks for its name.
   */
  void awaitQueuesWritten() throws Exception {
    String last = "written-" + System.nanoTime();
    try (Connection connection = Plain.connect(port);
        Channel channel = connection.createChannel()) {
      channel.queueDeclare(last, true, false, false, Map.of("x-queue-type", "quorum"));
      Path names = directory
          .resolve("mnesia")
          .resolve(name)
          .resolve("quorum")
          .resolve(name)
          .resolve("names.dets");
      long end = System.nanoTime() + START.toNanos();
      while (!Files.readString(names, StandardCharsets.ISO_8859_1).contains(last)) {
        if (System.nanoTime() - end > 0) {
          throw new IllegalStateException(names + " does not have " + last);
        }
        TimeUnit.MILLISECONDS.sleep(20);
      }
      channel.queueDelete(last);
    }
  }

  /** Kills the node as {@code kill -9} does. */
  void kill() throws Exception {
    end(true);
  }

  /** Stops the node in an orderly way. */
  void stop() throws Exception {
    end(false);
  }

  private void end(boolean now) throws Exception {
    Process running = process;
    process = null;
    if (running == null) {
      return;
    }
    List<ProcessHandle> all = new ArrayList<>(running.descendants().toList());
    all.add(running.toHandle());
    if (now) {
      all.forEach(ProcessHandle::destroyForcibly);
    } else {
      running.destroy(); // the node needs its helpers until it has ended
    }
    for (ProcessHandle each : all) {
      try {
        each.onExit().get(STOP.toSeconds(), TimeUnit.SECONDS);
      } catch (TimeoutException e) {
        each.destroyForcibly();
      }
    }
  }

  @Override
  public void close() {
    end();
    Runtime.getRuntime().removeShutdownHook(hook);
  }

  private synchronized void end() {
    try {
      end(true);
      epmd().forEach(ProcessHandle::destroyForcibly);
      List<Path> files;
      try (Stream<Path> all = Files.walk(directory)) {
        files = all.sorted(Comparator.reverseOrder()).toList();
      }
      for (Path each : files) {
        Files.deleteIfExists(each);
      }
    } catch (Exception e) {
      System.err.println("RabbitMQ did not end: " + e);
    }
  }

  /** Returns the port mapper that the node has started, which outlives it. */
  private Stream<ProcessHandle> epmd() {
    return ProcessHandle.allProcesses()
        .filter(each -> each.info().command().orElse("").endsWith("/epmd"))
        .filter(this::isOurs);
  }

  private boolean isOurs(ProcessHandle each) {
    try {
      String environment = Files.readString(
          Path.of("/proc/" + each.pid() + "/environ"), StandardCharsets.ISO_8859_1);
      return environment.contains("ERL_EPMD_PORT=" + epmdPort + "\0");
    } catch (IOException e) {
      return false;
    }
  }
}
