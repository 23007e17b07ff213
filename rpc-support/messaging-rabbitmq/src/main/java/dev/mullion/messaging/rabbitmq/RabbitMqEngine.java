package dev.mullion.messaging.rabbitmq;

import static java.util.Objects.requireNonNull;

import com.rabbitmq.client.Address;
import com.rabbitmq.client.ConnectionFactory;
import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.net.Tls;
import dev.mullion.net.base.TlsReloader;
import io.netty.channel.EventLoopGroup;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * RabbitMQ as an engine of messaging, for queues that outlive every process of yours. On one
 * machine, an {@code EmbeddedEngine} needs no broker.
 *
 * <pre>{@code
 * RabbitMqEngine engine = RabbitMqEngine.builder()
 *     .addresses("rabbit-1.internal:5672", "rabbit-2.internal:5672")
 *     .user("orders", password)
 *     .build();
 * try (Messaging messaging = Messaging.on(engine)) {
 *   messaging.push(INVOICES, "invoice 1").get();
 * }
 * }</pre>
 *
 * <p>{@code Messaging} starts only if a node can be reached. It has two connections, one for
 * sending. If one is lost, both are made again, with all subscriptions; sends that were not
 * confirmed are repeated with the same id, or fail after the {@code sendTimeout} of the {@code
 * Messaging}. What was delivered before, the broker delivers again.
 *
 * <p>Queues, their delays and dead letters are quorum queues; topics are routing keys of a topic
 * exchange; declarations are records of a stream queue. The README of this module has their names,
 * the permissions that are needed, and how plain clients take part.
 *
 * <p>Immutable; threads and connections belong to each {@code Messaging}.
 */
public final class RabbitMqEngine implements Engine {
  private final List<Address> addresses;
  private final String user;
  private final String password;
  private final String virtualHost;
  private final @Nullable Tls tls;
  private final String clientName;
  private final Duration connectTimeout;
  private final Duration awayTimeout;
  private final Duration answerTimeout;
  private final Duration confirmTimeout;
  private final Duration maxBackoff;
  private final Duration heartbeat;
  private final Duration consumerTimeout;
  private final int signalBuffer;
  private final Topology topology;
  private final Consumer<ConnectionFactory> client;
  private final Entities entities;
  private final BrokerErrors errors;

  private RabbitMqEngine(Builder builder) {
    this.addresses = List.copyOf(builder.addresses);
    this.user = builder.user;
    this.password = builder.password;
    this.virtualHost = builder.virtualHost;
    this.tls = builder.tls;
    this.clientName = builder.clientName;
    this.connectTimeout = builder.connectTimeout;
    this.awayTimeout = builder.awayTimeout;
    this.answerTimeout = builder.answerTimeout;
    this.confirmTimeout = builder.confirmTimeout;
    this.maxBackoff = builder.maxBackoff;
    this.heartbeat = builder.heartbeat;
    this.consumerTimeout = builder.consumerTimeout;
    this.signalBuffer = builder.signalBuffer;
    this.topology = builder.topology;
    this.client = builder.client;
    this.entities = new Entities(builder.prefix);
    this.errors = new BrokerErrors(where());
  }

  /** Returns a builder. */
  public static Builder builder() {
    return new Builder();
  }

  /** What this engine does about queues and exchanges that are not there. */
  public enum Topology {
    /** It creates them. */
    CREATE,
    /** It only checks them, and needs no permission to configure. */
    MUST_EXIST
  }

  @Override
  public String name() {
    return "rabbitmq";
  }

  @Override
  public List<Guarantees> guarantees() {
    return RabbitMqGuarantees.ROWS;
  }

  @Override
  public EngineLink open(EngineContext context) throws MessagingException {
    RabbitMqLink link = new RabbitMqLink(this, context);
    link.open();
    return link;
  }

  /** Returns the client's factory; what this engine depends on is set last. */
  ConnectionFactory factory(EventLoopGroup group, @Nullable TlsReloader files) {
    ConnectionFactory factory = new ConnectionFactory();
    factory.setUsername(user);
    factory.setPassword(password);
    factory.setVirtualHost(virtualHost);
    int millis = (int) Math.min(Wire.millis(connectTimeout), Integer.MAX_VALUE);
    factory.setConnectionTimeout(millis);
    factory.setHandshakeTimeout(millis);
    factory.setChannelRpcTimeout((int) Math.min(Wire.millis(answerTimeout), Integer.MAX_VALUE));
    factory.setShutdownTimeout(1000);
    factory.setRequestedHeartbeat((int) heartbeat.toSeconds());
    client.accept(factory);
    factory.setAutomaticRecoveryEnabled(false);
    factory.setTopologyRecoveryEnabled(false);
    factory.setThreadFactory(Threads.named("client"));
    factory.netty().eventLoopGroup(group).enqueuingTimeout(connectTimeout);
    if (files != null) {
      factory.netty().sslContextFactory(connection -> files.newest());
    }
    return factory;
  }

  @Nullable
  Tls tls() {
    return tls;
  }

  Entities entities() {
    return entities;
  }

  BrokerErrors errors() {
    return errors;
  }

  boolean creates() {
    return topology == Topology.CREATE;
  }

  List<Address> addresses() {
    return addresses;
  }

  String where() {
    return addresses.stream().map(Address::toString).collect(Collectors.joining(","));
  }

  String user() {
    return user;
  }

  String virtualHost() {
    return virtualHost;
  }

  String clientName() {
    return clientName;
  }

  Duration connectTimeout() {
    return connectTimeout;
  }

  Duration awayTimeout() {
    return awayTimeout;
  }

  Duration answerTimeout() {
    return answerTimeout;
  }

  Duration confirmTimeout() {
    return confirmTimeout;
  }

  Duration maxBackoff() {
    return maxBackoff;
  }

  Duration heartbeat() {
    return heartbeat;
  }

  Duration consumerTimeout() {
    return consumerTimeout;
  }

  int signalBuffer() {
    return signalBuffer;
  }

  /** The settings. */
  public static final class Builder {
    private List<Address> addresses = List.of(new Address("localhost", 5672));
    private String user = "guest";
    private String password = "guest";
    private String virtualHost = "/";
    private @Nullable Tls tls;
    private String clientName = "mullion";
    private String prefix = "mullion";
    private Duration connectTimeout = Duration.ofSeconds(10);
    private Duration awayTimeout = Duration.ofSeconds(10);
    private Duration answerTimeout = Duration.ofSeconds(30);
    private Duration confirmTimeout = Duration.ofSeconds(30);
    private Duration maxBackoff = Duration.ofSeconds(5);
    private Duration heartbeat = Duration.ofSeconds(10);
    private Duration consumerTimeout = Duration.ofMinutes(30);
    private int signalBuffer = 8192;
    private Topology topology = Topology.CREATE;
    private Consumer<ConnectionFactory> client = factory -> {};

    private Builder() {}

    /**
     * Sets the broker's nodes, each as {@code host:port}: {@code localhost:5672} by default. One
     * that can be reached is used.
     */
    public Builder addresses(String... addresses) {
      List<Address> parsed = Stream.of(requireNonNull(addresses, "addresses"))
          .map(each -> BrokerUri.node(requireNonNull(each, "addresses")))
          .toList();
      if (parsed.isEmpty()) {
        throw new IllegalArgumentException("addresses: none (expected: one or more)");
      }
      this.addresses = parsed;
      return this;
    }

    /**
     * Sets address, user, password, virtual host and TLS at once, as the broker writes them: {@code
     * amqp://user:password@host:5672/vhost}. Parts that are absent get their defaults. With {@code
     * amqps}, usually on port 5671, the broker is verified with the authorities of the JDK, unless
     * {@link #tls} was called.
     */
    public Builder uri(String uri) {
      BrokerUri parsed = BrokerUri.parse(uri);
      addresses(parsed.address());
      user(parsed.user(), parsed.password());
      if (parsed.secure() && tls == null) {
        tls(Tls.client());
      }
      return virtualHost(parsed.virtualHost());
    }

    /** Sets the user and password: {@code guest} and {@code guest} by default. */
    public Builder user(String user, String password) {
      this.user = Checks.shortText(user, "user");
      this.password = requireNonNull(password, "password");
      return this;
    }

    /** Sets the virtual host: {@code /} by default. */
    public Builder virtualHost(String virtualHost) {
      this.virtualHost = Checks.shortText(virtualHost, "virtualHost");
      return this;
    }

    /**
     * Enables TLS, with the name of each address verified; changed files are used for new
     * connections. The broker's port for TLS is usually 5671.
     */
    public Builder tls(Tls tls) {
      if (!requireNonNull(tls, "tls").isForClient()) {
        throw new IllegalArgumentException("tls: " + tls + " (expected: Tls.client())");
      }
      this.tls = tls;
      return this;
    }

    /** Sets the name that the broker shows for the connections. */
    public Builder clientName(String clientName) {
      this.clientName = Checks.shortText(clientName, "clientName");
      return this;
    }

    /**
     * Sets the first word of all names on the broker: {@code mullion} by default. Applications with
     * different prefixes do not see each other.
     */
    public Builder prefix(String prefix) {
      this.prefix = Checks.prefix(prefix);
      return this;
    }

    /** Sets whether queues are created, or must be there: {@code CREATE} by default. */
    public Builder topology(Topology topology) {
      this.topology = requireNonNull(topology, "topology");
      return this;
    }

    /** Sets how long connecting may take, or waiting for a lost connection: 10 s by default. */
    public Builder connectTimeout(Duration connectTimeout) {
      this.connectTimeout = Checks.duration(connectTimeout, "connectTimeout");
      return this;
    }

    /**
     * Sets how long a connected broker may take to answer a question, such as a declaration: 30 s
     * by default. A broker that was killed can need many seconds until its streams are back.
     */
    public Builder answerTimeout(Duration answerTimeout) {
      this.answerTimeout = Checks.duration(answerTimeout, "answerTimeout");
      return this;
    }

    /**
     * Sets after which time without a connection sends no longer wait for it, but fail at once: 10
     * s by default.
     */
    public Builder awayTimeout(Duration awayTimeout) {
      this.awayTimeout = Checks.duration(awayTimeout, "awayTimeout");
      return this;
    }

    /**
     * Sets how long a connected broker may take to confirm a message before its send fails: 30 s by
     * default. If it confirms nothing at all for a third of this time, the connection is made again
     * and the sends are repeated.
     */
    public Builder confirmTimeout(Duration confirmTimeout) {
      this.confirmTimeout = Checks.duration(confirmTimeout, "confirmTimeout");
      return this;
    }

    /** Sets the longest pause between attempts to connect: 5 s by default. */
    public Builder maxBackoff(Duration maxBackoff) {
      this.maxBackoff = Checks.duration(maxBackoff, "maxBackoff");
      return this;
    }

    /**
     * Sets how often a silent connection is checked, in whole seconds: 10 s by default, and 1 s at
     * least.
     */
    public Builder heartbeat(Duration heartbeat) {
      this.heartbeat = Checks.heartbeat(heartbeat);
      return this;
    }

    /**
     * Sets what {@code consumer_timeout} of the broker is: 30 minutes by default, as there. A
     * message that a worker holds for longer is taken away by the broker, so queues with a longer
     * {@code handlerTimeout} are rejected.
     */
    public Builder consumerTimeout(Duration consumerTimeout) {
      this.consumerTimeout = Checks.duration(consumerTimeout, "consumerTimeout");
      return this;
    }

    /** Sets how many signals may wait to be sent, of 64 MiB at most: 8192 by default. */
    public Builder signalBuffer(int signalBuffer) {
      if (signalBuffer < 1) {
        throw new IllegalArgumentException("signalBuffer: " + signalBuffer + " (expected: > 0)");
      }
      this.signalBuffer = signalBuffer;
      return this;
    }

    /**
     * Sets what is done to the client's own factory before it is used, for settings that are not
     * here, such as a SASL mechanism or a collector of metrics. Recovery, threads, the exception
     * handler, and the transport with its event loops and channel customizer stay this engine's.
     */
    public Builder client(Consumer<ConnectionFactory> client) {
      this.client = requireNonNull(client, "client");
      return this;
    }

    /** Returns the engine. */
    public RabbitMqEngine build() {
      return new RabbitMqEngine(this);
    }
  }
}
