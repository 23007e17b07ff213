package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.base.Check;
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
   * Sets how long connecting may take, at first and again, 10 seconds by default. It includes the
   * look-up of the host's name, TCP and TLS, but not the delay before an attempt. The addresses of
   * a name are tried one after the other: the next one when the one before has failed, or has had
   * its share of the time that is left. A slow one is not given up before the end, and the first
   * that is connected is taken. A look-up that takes longer is left to a thread that all clients
   * share, up to 16, until the system has answered.
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

  /** Sets how many requests may wait for their replies, 1,024 by default; more are refused. */
  public FramedClientBuilder maxRequestsInFlight(int maxRequestsInFlight) {
    this.maxRequestsInFlight =
        Check.within(maxRequestsInFlight, 1, Integer.MAX_VALUE, "maxRequestsInFlight");
    return this;
  }

  /** Sets whether and how it connects again, {@link Reconnect#off()} by default. */
  public FramedClientBuilder reconnect(Reconnect reconnect) {
    this.reconnect = requireNonNull(reconnect, "reconnect");
    return this;
  }

  /**
   * Sets after what time a batch handler that holds the event loop is reported, 100 ms by default:
   * it is counted, and the first of a burst is logged with its peer and stack. {@link
   * Duration#ZERO} sets no limit.
   */
  public FramedClientBuilder slowHandlerLimit(Duration slowHandlerLimit) {
    this.slowHandlerLimit = Check.notNegative(slowHandlerLimit, "slowHandlerLimit");
    return this;
  }

  /**
   * Sets what is called with each new connection, on the event loop, before anything is sent on it:
   * to send a greeting, for instance; by {@link FramedConnection#sendUnanswered} if the client
   * makes requests and the server does not answer it. It must not block.
   */
  public FramedClientBuilder onConnected(Consumer<FramedConnection> onConnected) {
    this.onConnected = requireNonNull(onConnected, "onConnected");
    return this;
  }

  /** Sets a handler that receives the frames on the event loop, in place of other ways. */
  public FramedClientBuilder batchHandler(BatchHandler batchHandler) {
    this.batchHandler = requireNonNull(batchHandler, "batchHandler");
    return this;
  }

  /** Sets what looks names up. */
  FramedClientBuilder lookup(NameLookup lookup) {
    this.lookup = lookup;
    return this;
  }

  /** Sets the address of this side, in place of one that the kernel picks. */
  FramedClientBuilder localAddress(SocketAddress localAddress) {
    this.localAddress = localAddress;
    return this;
  }

  /**
   * Connects, and returns the client when it is connected. If that fails, nothing is left running.
   *
   * @throws IllegalStateException if settings contradict each other, or Netty is older than 4.2
   * @throws java.net.UnknownHostException if the host cannot be resolved
   * @throws java.net.ConnectException if nobody accepts the connection, or not in time
   * @throws IOException if it cannot be made otherwise, by TLS for instance
   */
  public FramedClient connect() throws IOException {
    NettyVersion.check();
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
