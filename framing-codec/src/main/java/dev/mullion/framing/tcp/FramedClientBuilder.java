package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.base.Check;
import dev.mullion.net.base.EarlyClasses;
import dev.mullion.net.base.NettyVersion;
import java.io.IOException;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Collects the settings of a {@link FramedClient}. Not safe for use by several threads. */
public final class FramedClientBuilder extends ConnectionBuilder<FramedClientBuilder> {
  private Duration connectTimeout = Duration.ofSeconds(10);
  private Duration requestTimeout = Duration.ofSeconds(30);
  private int maxRequestsInFlight = 1024;
  private Reconnect reconnect = Reconnect.off();
  private Duration slowHandlerLimit = Duration.ofMillis(100);
  private Consumer<FramedConnection> onConnected = connection -> {};
  private @Nullable BatchHandler batchHandler;
  private NameLookup lookup = NameLookup.SHARED;
  private @Nullable SocketAddress localAddress;

  FramedClientBuilder() {
    super(true, Duration.ZERO);
  }

  @Override
  FramedClientBuilder self() {
    return this;
  }

  /** Sets the server's port. */
  public FramedClientBuilder port(int port) {
    this.port = Check.within(port, 1, 65535, "port");
    return this;
  }

  /**
   * Sets how long a connect or reconnect attempt may take, 10 seconds by default. The time includes
   * the name look-up, TCP and TLS, but not the delay before an attempt. The addresses of a name are
   * tried in order: the next one when the previous one has failed or has used its share of the time
   * left. A slow attempt is not given up early; the first that connects is used. A look-up that
   * takes longer continues on a thread shared by all clients, up to 16, until the system answers.
   */
  public FramedClientBuilder connectTimeout(Duration connectTimeout) {
    this.connectTimeout = Check.positive(connectTimeout, "connectTimeout");
    return this;
  }

  /** Sets how long a reply may take, 30 seconds by default. */
  public FramedClientBuilder requestTimeout(Duration requestTimeout) {
    this.requestTimeout = Check.positive(requestTimeout, "requestTimeout");
    return this;
  }

  /** Sets how many requests may await replies, 1,024 by default; more are rejected. */
  public FramedClientBuilder maxRequestsInFlight(int maxRequestsInFlight) {
    this.maxRequestsInFlight =
        Check.within(maxRequestsInFlight, 1, Integer.MAX_VALUE, "maxRequestsInFlight");
    return this;
  }

  /** Sets whether and how the client reconnects, {@link Reconnect#off()} by default. */
  public FramedClientBuilder reconnect(Reconnect reconnect) {
    this.reconnect = requireNonNull(reconnect, "reconnect");
    return this;
  }

  /**
   * Sets how long a batch handler may hold the event loop before it is reported, 100 ms by default.
   * Each case is counted; the first of a burst is logged with its peer and stack. {@link
   * Duration#ZERO} sets no limit.
   */
  public FramedClientBuilder slowHandlerLimit(Duration slowHandlerLimit) {
    this.slowHandlerLimit = Check.notNegative(slowHandlerLimit, "slowHandlerLimit");
    return this;
  }

  /**
   * Sets an action that runs for each new connection, on the event loop, before anything is sent on
   * it, for instance to send a greeting. If the client makes requests and the server does not
   * answer the greeting, send it by {@link FramedConnection#sendUnanswered}. The action must not
   * block.
   */
  public FramedClientBuilder onConnected(Consumer<FramedConnection> onConnected) {
    this.onConnected = requireNonNull(onConnected, "onConnected");
    return this;
  }

  /** Sets a handler that receives the frames on the event loop, instead of {@code receive}. */
  public FramedClientBuilder batchHandler(BatchHandler batchHandler) {
    this.batchHandler = requireNonNull(batchHandler, "batchHandler");
    return this;
  }

  /** Sets the resolver of host names. */
  FramedClientBuilder lookup(NameLookup lookup) {
    this.lookup = lookup;
    return this;
  }

  /** Sets the local address, instead of one that the kernel picks. */
  FramedClientBuilder localAddress(SocketAddress localAddress) {
    this.localAddress = localAddress;
    return this;
  }

  /**
   * Connects; returns the client once it is connected. If that fails, nothing is left running.
   *
   * @throws IllegalStateException if settings contradict each other, or Netty is older than 4.2
   * @throws java.net.UnknownHostException if the host cannot be resolved
   * @throws java.net.ConnectException if the connection attempt fails or times out
   * @throws IOException if it fails for another reason, for instance TLS
   */
  public FramedClient connect() throws IOException {
    NettyVersion.check();
    EarlyClasses.load(FramedClient.class);
    if (path == null && port < 0) {
      throw new IllegalStateException("port: not set (expected: a port, or a path)");
    }
    ConnectionSettings settings = connectionSettings();
    TcpConnector connector = new TcpConnector(
        new ClientSettings(
            host,
            port,
            path,
            lookup,
            localAddress,
            transport,
            options(),
            TlsContext.of(tls, settings.totals()),
            Check.nanos(connectTimeout),
            maxRequestsInFlight,
            reconnect,
            Check.nanos(slowHandlerLimit),
            onConnected),
        settings,
        batchHandler);
    connector.connect();
    FramedClient client = new FramedClient(connector, Check.nanos(requestTimeout));
    boolean complete = false;
    try {
      client.observation.begin(observers(), each -> each.observe(client));
      complete = true;
      return client;
    } finally {
      if (!complete) {
        client.close();
      }
    }
  }
}
