package dev.mullion.messaging.grpc;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.StopReport;
import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.grpc.v1.MessagingGrpc;
import dev.mullion.net.Tls;
import dev.mullion.net.base.Check;
import dev.mullion.net.base.ShutdownHook;
import dev.mullion.rpc.Keepalive;
import dev.mullion.rpc.RpcServer;
import dev.mullion.rpc.RpcServerBuilder;
import java.io.IOException;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Puts a messaging engine behind a gRPC service, so that other processes use it: in Java with a
 * {@link GrpcEngine}, in other languages with the frames of {@code messaging.proto}. It is the
 * network face of the engine of one machine; who needs several uses a broker.
 *
 * <pre>{@code
 * EmbeddedEngine engine = EmbeddedEngine.builder().directory(path).build();
 * try (MessagingServer server = MessagingServer.builder(engine).port(50052).start()) {
 *   server.awaitTermination();
 * }
 * }</pre>
 *
 * <p>Each client has one stream. The server delivers against the client's credit, and accepts at
 * most {@code window} sends without an answer, so neither side can flood the other, and no client
 * starves another. When a client's connection is lost, what it had not settled is given back at
 * once. By default it listens on {@code 127.0.0.1} and any free port, without TLS, and lets every
 * client do everything: {@link Builder#tls}, {@link Builder#rpc} and {@link Builder#permissions}
 * change that.
 *
 * <p>An {@link EmbeddedEngine} is started by the server and stopped with it. To use the same engine
 * inside the server's process too, start its {@link EmbeddedBroker} and pass that: it stays open.
 * Any other engine is opened once for each client.
 */
public final class MessagingServer implements AutoCloseable {
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(10);

  private final RpcServer server;
  private final Serving serving;
  private final @Nullable EmbeddedBroker owned;
  private final ShutdownHook hook = new ShutdownHook("mullion-messaging-shutdown", this::close);

  private MessagingServer(RpcServer server, Serving serving, @Nullable EmbeddedBroker owned) {
    this.server = server;
    this.serving = serving;
    this.owned = owned;
  }

  /** Returns a builder with the default settings. */
  public static Builder builder(Engine engine) {
    return new Builder(engine);
  }

  /** Returns the port that the server listens on; -1 for a unix-domain socket. */
  public int port() {
    return server.port();
  }

  /** Returns the address that the server listens on. */
  public SocketAddress address() {
    return server.address();
  }

  /** Returns the number of connected clients. */
  public int clients() {
    return serving.clients.get();
  }

  /** Waits until the server has stopped. */
  public void awaitTermination() throws InterruptedException {
    server.awaitTermination();
  }

  /** Stops with a timeout of ten seconds. */
  @Override
  public void close() {
    stop(CLOSE_TIMEOUT);
  }

  /**
   * Stops gracefully. New clients and sends are rejected, deliveries stop, and clients are told;
   * what they have can be settled until the timeout. The rest is given back, counted if it may have
   * been begun. A second call returns a report without messages.
   *
   * @return {@code finished}: settled during the stop; {@code givenBack}: not begun; {@code
   *     interrupted}: begun, and without an outcome at the timeout
   */
  public StopReport stop(Duration timeout) {
    final long begin = System.nanoTime();
    hook.remove();
    try {
      server.stop(timeout);
      serving.sessions.forEach(session -> session.finish(true));
    } finally {
      try {
        end(WireMessages.nanos(timeout) - (System.nanoTime() - begin));
      } finally {
        if (owned != null) {
          owned.close();
        }
      }
    }
    return new StopReport(
        Duration.ofNanos(System.nanoTime() - begin),
        serving.settledInStop.sumThenReset(),
        serving.givenBackInStop.sumThenReset(),
        serving.lostInStop.sumThenReset());
  }

  private void end(long left) {
    serving.executor.shutdown();
    try {
      serving.executor.awaitTermination(
          Math.max(left, TimeUnit.SECONDS.toNanos(1)), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The settings. */
  public static final class Builder {
    private static final int SLACK = 1 << 20;
    private static final int LEAST_LIMIT = 4 << 20;
    private static final int MOST_SENDS = 1_000_000;

    private final Engine engine;
    private final List<Consumer<? super RpcServerBuilder>> rpc = new ArrayList<>();
    private Permissions permissions = (verb, address, context) -> true;
    private int maxClients = 1_000;
    private int window = 1_024;
    private long windowBytes = 16L << 20;
    private int maxMessageSize = 1 << 20;
    private int maxCredit = 10_000;
    private long maxUnsettledBytes = 64L << 20;
    private int maxSubscriptions = 1_000;
    private int maxQueues = 10_000;
    private long maxBacklog = 64L << 20;
    private Duration helloTimeout = Duration.ofSeconds(10);
    private boolean shutdownHook;

    private Builder(Engine engine) {
      this.engine = requireNonNull(engine, "engine");
    }

    /** Sets the port; 0, the default, chooses a free one. */
    public Builder port(int port) {
      return rpc(server -> server.port(port));
    }

    /** Sets the host name or address to listen on, {@code 127.0.0.1} by default. */
    public Builder host(String host) {
      return rpc(server -> server.host(host));
    }

    /** Enables TLS with this certificate; may require client certificates. */
    public Builder tls(Tls tls) {
      return rpc(server -> server.tls(tls));
    }

    /**
     * Adds other settings of the {@link RpcServer} that carries the service: interceptors that
     * authenticate, further services, limits of connections. Timeouts of calls do not apply to the
     * clients' streams, but {@code maxConnectionAgeGrace} ends them; the clients then connect
     * again.
     */
    public Builder rpc(Consumer<? super RpcServerBuilder> settings) {
      rpc.add(requireNonNull(settings, "settings"));
      return this;
    }

    /** Sets what clients may do: everything by default. */
    public Builder permissions(Permissions permissions) {
      this.permissions = requireNonNull(permissions, "permissions");
      return this;
    }

    /** Sets how many clients may be connected: 1,000 by default. Excess ones are rejected. */
    public Builder maxClients(int maxClients) {
      this.maxClients = Check.within(maxClients, 1, 100_000, "maxClients");
      return this;
    }

    /** Sets how many sends of one client may be without an answer: 1,024 by default. */
    public Builder window(int window) {
      this.window = Check.within(window, 1, MOST_SENDS, "window");
      return this;
    }

    /**
     * Sets how many bytes of messages may be in the sends of one client without an answer: 16 MiB
     * by default. One message is always accepted.
     */
    public Builder windowBytes(long windowBytes) {
      this.windowBytes = Check.atLeast(windowBytes, 1, "windowBytes");
      return this;
    }

    /**
     * Sets the greatest size of a message, payload and headers together, in bytes: 1 MiB by
     * default. The channels of clients need a {@code maxInboundMessageSize} and {@code
     * maxOutboundMessageSize} of 1 MiB more than this; their default is 4 MiB.
     */
    public Builder maxMessageSize(int maxMessageSize) {
      this.maxMessageSize =
          Check.within(maxMessageSize, 1, Integer.MAX_VALUE - 2 * SLACK, "maxMessageSize");
      return this;
    }

    /**
     * Sets the greatest number of messages that one subscription may have without an outcome, or
     * has asked for: 10,000 by default. A worker with more concurrency is rejected.
     */
    public Builder maxCredit(int maxCredit) {
      this.maxCredit = Check.within(maxCredit, 1, 1_000_000, "maxCredit");
      return this;
    }

    /**
     * Sets how many bytes of messages from queues and subjects one client may have without an
     * outcome, in all its subscriptions: 64 MiB by default. Further ones stay in their queues until
     * it settles. A quarter is kept for subscriptions that have nothing, and one message is always
     * delivered. Messages of topics and signals count until they are written to the client; further
     * ones stay in the engine's buffer of their subscription, or are dropped and told if many
     * subscriptions get large ones at once.
     */
    public Builder maxUnsettledBytes(long maxUnsettledBytes) {
      this.maxUnsettledBytes = Check.atLeast(maxUnsettledBytes, 1, "maxUnsettledBytes");
      return this;
    }

    /** Sets how many subscriptions one client may have: 1,000 by default. */
    public Builder maxSubscriptions(int maxSubscriptions) {
      this.maxSubscriptions = Check.within(maxSubscriptions, 1, 1_000_000, "maxSubscriptions");
      return this;
    }

    /**
     * Sets how many queues and groups there may be in the engine, those of its own process
     * included, for a client to declare a further one: 10,000 by default. They stay when their
     * client leaves, and take memory until they are deleted. A client that would declare one too
     * many gets an {@code UnsupportedSettingException} with the numbers.
     */
    public Builder maxQueues(int maxQueues) {
      this.maxQueues = Check.within(maxQueues, 1, 1_000_000, "maxQueues");
      return this;
    }

    /**
     * Sets how many bytes of replies and answers may wait for one client to read them: 64 MiB by
     * default. A client for which more would wait is disconnected. Deliveries do not count: they
     * stay in their queues until the client reads.
     */
    public Builder maxBacklog(long maxBacklog) {
      this.maxBacklog = Check.atLeast(maxBacklog, 1, "maxBacklog");
      return this;
    }

    /** Sets how long a client may take until its first frame, for tests. */
    Builder helloTimeout(Duration helloTimeout) {
      this.helloTimeout = helloTimeout;
      return this;
    }

    /**
     * Sets whether the server, and an engine that it has started, are closed when the JVM ends,
     * such as by Ctrl-C or SIGTERM; off by default.
     */
    public Builder shutdownHook(boolean shutdownHook) {
      this.shutdownHook = shutdownHook;
      return this;
    }

    /**
     * Starts the engine, if it is an {@link EmbeddedEngine}, and a server, and returns it once it
     * listens. If this fails, nothing is left running.
     *
     * @throws MessagingException if the engine cannot start
     * @throws IOException if the server cannot listen on the address, or for another reason of
     *     {@link RpcServerBuilder#start}
     */
    public MessagingServer start() throws IOException {
      EmbeddedBroker owned = engine instanceof EmbeddedEngine embedded ? embedded.start() : null;
      ExecutorService executor = Threads.daemons("mullion-messaging-server-");
      boolean started = false;
      try {
        Serving serving = new Serving(
            owned == null ? engine : owned,
            new Serving.Limits(
                maxClients,
                window,
                windowBytes,
                maxMessageSize,
                maxCredit,
                maxUnsettledBytes,
                maxSubscriptions,
                maxQueues,
                maxBacklog,
                helloTimeout),
            permissions,
            executor);
        RpcServer server = builder(serving).start();
        MessagingServer running = new MessagingServer(server, serving, owned);
        started = true;
        if (shutdownHook) {
          running.hook.register();
        }
        return running;
      } finally {
        if (!started) {
          executor.shutdown();
          if (owned != null) {
            owned.close();
          }
        }
      }
    }

    private RpcServerBuilder builder(Serving serving) {
      int limit = Math.max(LEAST_LIMIT, maxMessageSize + SLACK);
      RpcServerBuilder builder = RpcServer.builder()
          .keepalive(
              Keepalive.defaults().time(Duration.ofSeconds(10)).timeout(Duration.ofSeconds(10)))
          .maxInboundMessageSize(limit)
          .maxOutboundMessageSize(limit)
          .addService(new MessagingService(serving));
      rpc.forEach(each -> each.accept(builder));
      return builder.timeout(MessagingGrpc.SERVICE_NAME, Duration.ZERO);
    }
  }
}
