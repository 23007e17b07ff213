package dev.mullion.messaging.kafka;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.net.Tls;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The engine on Kafka, 4.2 or newer, with share groups.
 *
 * <pre>{@code
 * KafkaEngine engine =
 *     KafkaEngine.builder("kafka-1:9092,kafka-2:9092").replicationFactor(3).build();
 * try (Messaging messaging = Messaging.on(engine)) {
 *   messaging.push(INVOICES, "invoice 1").get();
 * }
 * }</pre>
 *
 * <p>{@code Messaging} starts only if a broker can be reached. A connection that is lost later is
 * restored by itself, with all subscriptions. Sends wait for a broker for up to {@code
 * deliveryTimeout}, and then fail with {@code BrokerAwayException}.
 *
 * <p>The README of this module tells which topics, groups and permissions the engine needs, and how
 * messages look to other clients.
 */
public final class KafkaEngine implements Engine {
  private static final Pattern PREFIX = Pattern.compile("[a-zA-Z0-9.-]{0,20}");

  private static final Duration MILLI = Duration.ofMillis(1);

  /** No broker allows less. */
  private static final Duration LEAST_LOCK = Duration.ofSeconds(1);

  private final Builder settings;

  private KafkaEngine(Builder settings) {
    this.settings = settings;
  }

  /** Returns an engine with the defaults; the servers are {@code host:port}, with commas. */
  public static KafkaEngine on(String servers) {
    return builder(servers).build();
  }

  /** Returns a builder; the servers are {@code host:port}, with commas. */
  public static Builder builder(String servers) {
    return new Builder(servers);
  }

  @Override
  public String name() {
    return "kafka";
  }

  @Override
  public List<Guarantees> guarantees() {
    return Guaranteed.rows(settings.replicationFactor > 1, settings.topicPartitions);
  }

  @Override
  public EngineLink open(EngineContext context) throws MessagingException {
    return KafkaLink.open(new Settings(settings, files(settings.tls)), context);
  }

  private static @Nullable TlsFiles files(@Nullable Tls tls) throws MessagingException {
    try {
      return tls == null ? null : new TlsFiles(tls);
    } catch (IOException e) {
      throw new UnsupportedSettingException(e.getMessage() + "; see KafkaEngine.Builder.tls", e);
    }
  }

  /** What the engine does if a topic, group or configuration that it needs does not exist. */
  public enum Topology {
    /** Creates it. */
    CREATE,
    /** Fails with {@code MissingAddressException}; the names are in the README. */
    MUST_EXIST
  }

  /** The settings. */
  public static final class Builder {
    final String servers;
    String clientName = "mullion";
    String prefix = "";
    Duration connectTimeout = Duration.ofSeconds(10);
    Duration requestTimeout = Duration.ofSeconds(10);
    Duration deliveryTimeout = Duration.ofSeconds(30);
    Duration lockDuration = Duration.ofSeconds(30);
    Duration healthInterval = Duration.ofSeconds(1);
    Topology topology = Topology.CREATE;
    int replicationFactor = -1;
    int topicPartitions = 1;
    int orderedPartitions = 8;
    int maxMessageBytes = 2 << 20;
    int maxConsumers = 16;
    int signalBuffer = 512;
    Map<String, Object> properties = new HashMap<>();
    Map<String, Object> security = new HashMap<>();

    @Nullable
    Tls tls;

    boolean sasl;

    private Builder(String servers) {
      this.servers = Checks.servers(requireNonNull(servers, "servers"));
    }

    private Builder(Builder from) {
      servers = from.servers;
      clientName = from.clientName;
      prefix = from.prefix;
      connectTimeout = from.connectTimeout;
      requestTimeout = from.requestTimeout;
      deliveryTimeout = from.deliveryTimeout;
      lockDuration = from.lockDuration;
      healthInterval = from.healthInterval;
      topology = from.topology;
      replicationFactor = from.replicationFactor;
      topicPartitions = from.topicPartitions;
      orderedPartitions = from.orderedPartitions;
      maxMessageBytes = from.maxMessageBytes;
      maxConsumers = from.maxConsumers;
      signalBuffer = from.signalBuffer;
      properties = new HashMap<>(from.properties);
      security = new HashMap<>(from.security);
      tls = from.tls;
      sasl = from.sasl;
    }

    /** Sets a name for the broker's logs and quotas: {@code mullion} by default. */
    public Builder clientName(String clientName) {
      if (requireNonNull(clientName, "clientName").length() > 255) {
        throw new IllegalArgumentException(
            "clientName: " + clientName.length() + " characters (expected: at most 255)");
      }
      this.clientName = clientName;
      return this;
    }

    /**
     * Sets what the names of all topics and groups begin with: nothing by default. Useful to give
     * permissions by prefix, and to keep several systems apart on one cluster.
     */
    public Builder prefix(String prefix) {
      if (!PREFIX.matcher(requireNonNull(prefix, "prefix")).matches()) {
        throw new IllegalArgumentException("prefix: \"" + prefix
            + "\" (expected: at most 20 characters of a-z, A-Z, 0-9, - and .)");
      }
      this.prefix = prefix;
      return this;
    }

    /** Sets how long the first connection may take: 10 s by default. */
    public Builder connectTimeout(Duration connectTimeout) {
      this.connectTimeout = Checks.duration(connectTimeout, MILLI, "connectTimeout");
      return this;
    }

    /** Sets how long a declaration or a question about queues may take: 10 s by default. */
    public Builder requestTimeout(Duration requestTimeout) {
      this.requestTimeout = Checks.duration(requestTimeout, MILLI, "requestTimeout");
      return this;
    }

    /**
     * Sets how long a message may take to be accepted by the broker, all of the client's own
     * attempts included: 30 s by default.
     */
    public Builder deliveryTimeout(Duration deliveryTimeout) {
      this.deliveryTimeout = Checks.duration(deliveryTimeout, MILLI, "deliveryTimeout");
      return this;
    }

    /**
     * Sets for how long the broker locks a message for a worker: 30 s by default. A lock is renewed
     * at half of it, so this is no bound for handlers; a worker whose machine is gone without
     * closing its connection loses its messages after it. The broker allows 15 s to 60 s unless it
     * is configured otherwise.
     */
    public Builder lockDuration(Duration lockDuration) {
      this.lockDuration = Checks.duration(lockDuration, LEAST_LOCK, "lockDuration");
      return this;
    }

    /** Sets how often the broker is asked whether it is there: every second by default. */
    public Builder healthInterval(Duration healthInterval) {
      this.healthInterval = Checks.duration(healthInterval, MILLI, "healthInterval");
      return this;
    }

    /** Sets what happens if a topic or group does not exist: it is created by default. */
    public Builder topology(Topology topology) {
      this.topology = requireNonNull(topology, "topology");
      return this;
    }

    /**
     * Sets the number of replicas of topics that this engine creates: the broker's default unless
     * set. Only from 2 on do {@code Guarantees} promise replicas.
     */
    public Builder replicationFactor(int replicationFactor) {
      this.replicationFactor =
          Checks.within(replicationFactor, 1, Short.MAX_VALUE, "replicationFactor");
      return this;
    }

    /**
     * Sets the number of partitions of topics of publish-subscribe that this engine creates: 1 by
     * default, which keeps the order of each sender. With more only the order of each key is kept.
     */
    public Builder topicPartitions(int topicPartitions) {
      this.topicPartitions = Checks.within(topicPartitions, 1, 10_000, "topicPartitions");
      return this;
    }

    /**
     * Sets the number of partitions of ordered queues that this engine creates: 8 by default. No
     * more workers can share such a queue.
     */
    public Builder orderedPartitions(int orderedPartitions) {
      this.orderedPartitions = Checks.within(orderedPartitions, 1, 10_000, "orderedPartitions");
      return this;
    }

    /**
     * Sets the greatest record, headers included, that is sent, and that topics created by this
     * engine take: 2 MiB by default. It should exceed the {@code maxMessageSize} of the {@code
     * Messaging} by at least 10 kB.
     */
    public Builder maxMessageBytes(int maxMessageBytes) {
      this.maxMessageBytes = Checks.within(maxMessageBytes, 1024, 1 << 30, "maxMessageBytes");
      return this;
    }

    /**
     * Sets the greatest number of share consumers of each worker: 16 by default. A worker begins
     * with one. If its handlers are quick, a second one fetches while the first commits, unless
     * one is enough. If they are slow, further ones fetch while the others hold messages. Each has
     * a connection and two threads.
     */
    public Builder maxConsumers(int maxConsumers) {
      this.maxConsumers = Checks.within(maxConsumers, 1, 1000, "maxConsumers");
      return this;
    }

    /**
     * Sets how many signals may be on their way to the broker: 512 by default. Further ones are
     * dropped and counted.
     */
    public Builder signalBuffer(int signalBuffer) {
      this.signalBuffer = Checks.within(signalBuffer, 1, 1_000_000, "signalBuffer");
      return this;
    }

    /**
     * Enables TLS. The files are PEM files, and the key must have the form of PKCS #8. Each new
     * connection reads them again; if they cannot be used, it uses those of before. Connections
     * that exist keep theirs.
     *
     * @throws IllegalArgumentException if it is for a server, or was made of a context
     */
    public Builder tls(Tls tls) {
      if (!requireNonNull(tls, "tls").isForClient() || tls.context() != null) {
        throw new IllegalArgumentException("tls: " + tls + " (expected: Tls.client(), with files)");
      }
      this.tls = tls;
      return this;
    }

    /**
     * Enables a login by user and password.
     *
     * @param mechanism {@code PLAIN}, {@code SCRAM-SHA-256} or {@code SCRAM-SHA-512}
     */
    public Builder sasl(String mechanism, String user, String password) {
      String module = switch (requireNonNull(mechanism, "mechanism")) {
        case "PLAIN" -> "org.apache.kafka.common.security.plain.PlainLoginModule";
        case "SCRAM-SHA-256", "SCRAM-SHA-512" ->
          "org.apache.kafka.common.security.scram.ScramLoginModule";
        default ->
          throw new IllegalArgumentException("mechanism: " + mechanism
              + " (expected: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; others by properties)");
      };
      sasl = true;
      security.put("sasl.mechanism", mechanism);
      security.put(
          "sasl.jaas.config",
          module + " required username=" + quoted(requireNonNull(user, "user")) + " password="
              + quoted(requireNonNull(password, "password")) + ";");
      return this;
    }

    private static String quoted(String text) {
      return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    /**
     * Sets a property of Kafka's clients, for all of them. It replaces what this engine sets, so
     * promises may no longer hold.
     *
     * @param value null to leave it to the client
     * @throws IllegalArgumentException if the client does not take that value
     */
    public Builder property(String name, @Nullable Object value) {
      Checks.property(requireNonNull(name, "name"), value);
      properties.put(name, value);
      return this;
    }

    /** Returns the engine. */
    public KafkaEngine build() {
      return new KafkaEngine(new Builder(this));
    }
  }
}
