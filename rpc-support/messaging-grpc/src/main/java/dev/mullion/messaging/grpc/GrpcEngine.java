package dev.mullion.messaging.grpc;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineEvents;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.grpc.v1.MessagingGrpc;
import dev.mullion.messaging.grpc.v1.Welcome;
import dev.mullion.rpc.RpcChannel;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ForkJoinPool;
import org.jspecify.annotations.Nullable;

/**
 * The engine behind a {@link MessagingServer}, seen by its clients.
 *
 * <pre>{@code
 * try (RpcChannel channel = RpcChannel.builder().address("queues.internal", 50052).build();
 *     Messaging messaging = Messaging.on(GrpcEngine.on(channel))) {
 *   messaging.push(INVOICES, "invoice 1").get();
 * }
 * }</pre>
 *
 * <p>{@code Messaging} starts only if the server can be reached. A connection that is lost later is
 * restored by itself, with its subscriptions, its groups, and the queues that messages wait for;
 * other queues are declared again when they are used. Meanwhile sends wait for up to the
 * {@code sendTimeout} of the {@code Messaging}; once the server is away for longer than {@code
 * awayTimeout}, they fail at once. Sends that were on their way fail with {@code maybeAccepted}.
 * What the server had delivered, it has given back: its outcome comes too late, and it is delivered
 * again.
 *
 * <p>The channel is not closed, and may carry other calls. It should have the server's message
 * limits (see {@link MessagingServer.Builder#maxMessageSize}) and a single server: a queue is on
 * one of them. Timeouts of the channel do not apply to this engine's streams.
 *
 * <p>What waits for a live subscriber waits in buffers of the server: {@code bufferBytes} other
 * than the default is rejected when the subscription starts.
 */
public final class GrpcEngine implements Engine {
  private final RpcChannel channel;
  private final String client;
  private final Duration connectTimeout;
  private final Duration awayTimeout;
  private final Duration pingInterval;
  private final Duration maxBackoff;
  private volatile @Nullable List<Guarantees> guarantees;
  private volatile int maxMessageSize = Integer.MAX_VALUE;

  private GrpcEngine(Builder builder) {
    this.channel = builder.channel;
    this.client = builder.client;
    this.connectTimeout = builder.connectTimeout;
    this.awayTimeout = builder.awayTimeout;
    this.pingInterval = builder.pingInterval;
    this.maxBackoff = builder.maxBackoff;
    channel.setTimeout(MessagingGrpc.SERVICE_NAME, Duration.ZERO);
  }

  /** Returns an engine with the defaults. */
  public static GrpcEngine on(RpcChannel channel) {
    return builder(channel).build();
  }

  /** Returns a builder. */
  public static Builder builder(RpcChannel channel) {
    return new Builder(channel);
  }

  @Override
  public String name() {
    return "grpc";
  }

  /**
   * Returns what the server promises; it is asked if nothing has connected yet.
   *
   * @throws UncheckedIOException if it has to be asked and cannot be reached
   */
  @Override
  public List<Guarantees> guarantees() {
    List<Guarantees> known = guarantees;
    if (known != null) {
      return known;
    }
    try {
      open(new EngineContext(new Unheard(), ForkJoinPool.commonPool(), 1, connectTimeout))
          .close();
      return requireNonNull(guarantees);
    } catch (MessagingException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public EngineLink open(EngineContext context) throws MessagingException {
    GrpcLink link = new GrpcLink(this, context);
    link.open();
    return link;
  }

  /** Notes what a server has said. */
  void welcomed(Welcome welcome) {
    guarantees = welcome.getGuaranteesList().stream().map(WireGuarantees::from).toList();
    maxMessageSize = welcome.getMaxMessageSize();
  }

  RpcChannel channel() {
    return channel;
  }

  String where() {
    return channel.authority();
  }

  String client() {
    return client;
  }

  int maxMessageSize() {
    return maxMessageSize;
  }

  Duration connectTimeout() {
    return connectTimeout;
  }

  Duration awayTimeout() {
    return awayTimeout;
  }

  Duration pingInterval() {
    return pingInterval;
  }

  Duration maxBackoff() {
    return maxBackoff;
  }

  /** Events of a link that only asks. */
  private static final class Unheard implements EngineEvents {
    @Override
    public void replied(Reply reply) {}

    @Override
    public void connectionLost(String where, Throwable cause) {}

    @Override
    public void connectionRestored(String where, Duration outage) {}
  }

  /** The settings. */
  public static final class Builder {
    private final RpcChannel channel;
    private String client = "java";
    private Duration connectTimeout = Duration.ofSeconds(10);
    private Duration awayTimeout = Duration.ofSeconds(10);
    private Duration pingInterval = Duration.ofSeconds(5);
    private Duration maxBackoff = Duration.ofSeconds(5);

    private Builder(RpcChannel channel) {
      this.channel = requireNonNull(channel, "channel");
    }

    /** Sets a name for the server's logs and errors, at most 200 characters. */
    public Builder client(String client) {
      if (requireNonNull(client, "client").length() > 200) {
        throw new IllegalArgumentException(
            "client: " + client.length() + " characters (expected: <= 200)");
      }
      this.client = client;
      return this;
    }

    /** Sets how long each attempt to connect may take: 10 s by default. */
    public Builder connectTimeout(Duration connectTimeout) {
      this.connectTimeout = positive(connectTimeout, "connectTimeout");
      return this;
    }

    /**
     * Sets after which time without a connection sends no longer wait for it, but fail at once: 10
     * s by default.
     */
    public Builder awayTimeout(Duration awayTimeout) {
      this.awayTimeout = positive(awayTimeout, "awayTimeout");
      return this;
    }

    /**
     * Sets how often a server that is silent is asked for a sign of life: after 5 s by default. A
     * connection that stays silent for two and a half times as long is given up.
     */
    public Builder pingInterval(Duration pingInterval) {
      this.pingInterval = positive(pingInterval, "pingInterval");
      return this;
    }

    /**
     * Sets the longest pause between attempts to connect: 5 s by default. The first is about 100
     * ms, and each further one up to twice the last.
     */
    public Builder maxBackoff(Duration maxBackoff) {
      this.maxBackoff = positive(maxBackoff, "maxBackoff");
      return this;
    }

    private static Duration positive(Duration value, String name) {
      if (requireNonNull(value, name).isNegative() || value.isZero()) {
        throw new IllegalArgumentException(name + ": " + value + " (expected: > 0)");
      }
      return value;
    }

    /** Returns the engine. */
    public GrpcEngine build() {
      return new GrpcEngine(this);
    }
  }
}
