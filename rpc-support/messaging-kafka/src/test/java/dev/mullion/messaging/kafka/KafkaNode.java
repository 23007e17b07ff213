package dev.mullion.messaging.kafka;

import static java.util.stream.Collectors.joining;

import dev.mullion.messaging.testing.JavaProcess;
import dev.mullion.messaging.testing.Relay;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;

/**
 * One Kafka node in a process of its own, made of the test class path. It listens on loopback only,
 * and clients reach it through a relay, which tests can cut. A second listener wants TLS and a
 * login; the first one knows nobody, and lets everybody do everything. With {@code
 * -Dkafka.node.keep=true} the node's directory, with its output, is kept.
 */
final class KafkaNode implements AutoCloseable {
  private static final Duration START = Duration.ofSeconds(60);

  private final Path directory;
  private final Relay relay;
  private final int port;
  private final int securePort;
  private final int controllerPort;
  private final Map<String, String> properties = new TreeMap<>();
  private @Nullable Process process;

  private KafkaNode(Path directory, Map<String, String> more) throws Exception {
    this.directory = directory;
    this.relay = new Relay();
    this.port = JavaProcess.freePort();
    this.securePort = JavaProcess.freePort();
    this.controllerPort = JavaProcess.freePort();
    relay.to(port);
    usual();
    secure();
    properties.putAll(more);
  }

  /** Formats a directory and starts a node on it. */
  static KafkaNode start(Map<String, String> more) throws Exception {
    KafkaNode node = new KafkaNode(Files.createTempDirectory("kafka-node"), more);
    Runtime.getRuntime().addShutdownHook(new Thread(node::close));
    node.format(Uuid.randomUuid(), "--standalone");
    node.start();
    return node;
  }

  /** Starts nodes that form one cluster, with three replicas of everything. */
  static List<KafkaNode> cluster() throws Exception {
    Map<String, String> more = new TreeMap<>();
    for (String topic :
        List.of("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")) {
      more.put(topic + ".replication.factor", "3");
    }
    for (String minimum : List.of("", "transaction.state.log.", "share.coordinator.state.topic.")) {
      more.put(minimum + (minimum.isEmpty() ? "min.insync.replicas" : "min.isr"), "2");
    }
    more.put("default.replication.factor", "3");
    List<KafkaNode> nodes = new ArrayList<>();
    for (int id = 1; id <= 3; id++) {
      more.put("node.id", "" + id);
      nodes.add(new KafkaNode(Files.createTempDirectory("kafka-node"), more));
    }
    String voters = nodes.stream()
        .map(each -> each.properties.get("node.id") + "@127.0.0.1:" + each.controllerPort)
        .collect(joining(","));
    Uuid cluster = Uuid.randomUuid();
    for (KafkaNode node : nodes) {
      Runtime.getRuntime().addShutdownHook(new Thread(node::close));
      node.properties.remove("controller.quorum.bootstrap.servers");
      node.properties.put("controller.quorum.voters", voters);
      node.format(cluster);
      node.launch();
    }
    for (KafkaNode node : nodes) {
      node.awaitAnswer();
    }
    return nodes;
  }

  /** Returns the properties of a small node whose groups are quick. */
  private void usual() {
    String servers = "CLIENT://127.0.0.1:" + port + ",SECURE://127.0.0.1:" + securePort
        + ",CONTROLLER://127.0.0.1:" + controllerPort;
    properties.put("process.roles", "broker,controller");
    properties.put("node.id", "1");
    properties.put("controller.quorum.bootstrap.servers", "127.0.0.1:" + controllerPort);
    properties.put("controller.listener.names", "CONTROLLER");
    properties.put("listeners", servers);
    properties.put(
        "advertised.listeners",
        "CLIENT://127.0.0.1:" + relay.port() + ",SECURE://localhost:" + securePort);
    properties.put(
        "listener.security.protocol.map", "CLIENT:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT");
    properties.put("inter.broker.listener.name", "CLIENT");
    properties.put("log.dirs", directory.resolve("log").toString());
    for (String topic :
        List.of("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")) {
      properties.put(topic + ".replication.factor", "1");
      properties.put(topic + ".num.partitions", "1");
    }
    properties.put("transaction.state.log.min.isr", "1");
    properties.put("share.coordinator.state.topic.min.isr", "1");
    properties.put("group.initial.rebalance.delay.ms", "0");
    properties.put("log.cleaner.dedupe.buffer.size", "2097152");
    properties.put("log.index.size.max.bytes", "65536");
    properties.put("auto.create.topics.enable", "false");
    properties.put("num.network.threads", "2");
    properties.put("num.io.threads", "4");
    for (String kind : List.of("share", "consumer")) {
      properties.put("group." + kind + ".heartbeat.interval.ms", "500");
      properties.put("group." + kind + ".min.heartbeat.interval.ms", "500");
      properties.put("group." + kind + ".session.timeout.ms", "10000");
      properties.put("group." + kind + ".min.session.timeout.ms", "10000");
      properties.put("group." + kind + ".assignment.interval.ms", "0");
    }
    // A killed node may come back once the session of its former self has ended.
    properties.put("broker.session.timeout.ms", "6000");
    properties.put("broker.heartbeat.interval.ms", "500");
    properties.put("group.share.min.record.lock.duration.ms", "1000");
  }

  private void secure() throws Exception {
    X509Bundle certificate = new CertificateBuilder()
        .subject("CN=localhost")
        .addSanDnsName("localhost")
        .setIsCertificateAuthority(true)
        .buildSelfSigned();
    Files.writeString(authority(), certificate.getCertificatePathPEM());
    Path keystore = directory.resolve("keystore.pem");
    Files.writeString(
        keystore, certificate.getPrivateKeyPEM() + certificate.getCertificatePathPEM());
    String listener = "listener.name.secure.";
    properties.put(listener + "ssl.keystore.type", "PEM");
    properties.put(listener + "ssl.keystore.location", keystore.toString());
    properties.put(listener + "sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512");
    for (String scram : List.of("scram-sha-256", "scram-sha-512")) { // users are made by an admin
      properties.put(
          listener + scram + ".sasl.jaas.config",
          "org.apache.kafka.common.security.scram.ScramLoginModule required;");
    }
    properties.put(
        listener + "plain.sasl.jaas.config",
        "org.apache.kafka.common.security.plain.PlainLoginModule required"
            + " user_alice=\"alice-secret\";");
    properties.put(
        "authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer");
    properties.put("super.users", "User:ANONYMOUS");
  }

  /** Returns the address of the listener with TLS and a login: alice, alice-secret. */
  String secureServers() {
    return "localhost:" + securePort;
  }

  /** Returns the certificate of that listener, which is its own authority. */
  Path authority() {
    return directory.resolve("authority.pem");
  }

  String servers() {
    return "127.0.0.1:" + relay.port();
  }

  Relay relay() {
    return relay;
  }

  private Path file() throws IOException {
    StringBuilder text = new StringBuilder();
    properties.forEach(
        (name, value) -> text.append(name).append('=').append(value).append('\n'));
    return Files.writeString(directory.resolve("server.properties"), text);
  }

  private void format(Uuid cluster, String... options) throws Exception {
    List<String> arguments =
        new ArrayList<>(List.of("format", "-t", cluster.toString(), "-c", file().toString()));
    arguments.addAll(List.of(options));
    Process formatting = java("kafka.tools.StorageTool", arguments, "64m");
    if (!formatting.waitFor(START.toSeconds(), TimeUnit.SECONDS) || formatting.exitValue() != 0) {
      throw new IllegalStateException("format failed: " + output());
    }
  }

  void start() throws Exception {
    launch();
    awaitAnswer();
  }

  private void launch() throws IOException {
    process = java(
        "kafka.Kafka", List.of(file().toString()), System.getProperty("kafka.node.heap", "256m"));
  }

  private void awaitAnswer() throws Exception {
    Process started = Objects.requireNonNull(process);
    long end = System.nanoTime() + START.toNanos();
    while (true) {
      try (Admin admin = admin()) {
        admin.describeCluster().nodes().get();
        return;
      } catch (Exception e) {
        if (!started.isAlive() || System.nanoTime() - end > 0) {
          throw new IllegalStateException("no node: " + output(), e);
        }
      }
    }
  }

  /** Returns a client that may do everything. */
  Admin admin() {
    Map<String, Object> all = new TreeMap<>();
    all.put("bootstrap.servers", servers());
    all.put("default.api.timeout.ms", "2000");
    all.put("request.timeout.ms", "1500");
    all.put("reconnect.backoff.max.ms", "100");
    return Admin.create(all);
  }

  /** Stops it in an orderly way. */
  void stop() throws InterruptedException {
    Process stopped = Objects.requireNonNull(process);
    stopped.destroy();
    if (!stopped.waitFor(30, TimeUnit.SECONDS)) {
      kill();
    }
  }

  /** Kills it, as {@code kill -9} does. */
  void kill() throws InterruptedException {
    Process killed = Objects.requireNonNull(process);
    killed.destroyForcibly();
    killed.waitFor(20, TimeUnit.SECONDS);
  }

  private Process java(String main, List<String> arguments, String memory) throws IOException {
    List<String> command = new ArrayList<>(Arrays.asList(
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-Xmx" + memory,
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        System.getProperty("java.class.path"),
        main));
    command.addAll(arguments);
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(
            ProcessBuilder.Redirect.appendTo(directory.resolve("output").toFile()))
        .start();
  }

  private String output() throws IOException {
    Path output = directory.resolve("output");
    return Files.exists(output) ? Files.readString(output, StandardCharsets.UTF_8) : "nothing";
  }

  @Override
  public synchronized void close() {
    Process closed = process;
    if (closed != null) {
      closed.destroyForcibly();
    }
    try {
      if (closed != null) {
        closed.waitFor(10, TimeUnit.SECONDS);
      }
      relay.close();
      if (!Boolean.getBoolean("kafka.node.keep")) {
        delete();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void delete() throws IOException {
    if (Files.exists(directory)) {
      try (Stream<Path> all = Files.walk(directory)) {
        all.sorted(Comparator.reverseOrder()).forEach(each -> each.toFile().delete());
      }
    }
  }
}
