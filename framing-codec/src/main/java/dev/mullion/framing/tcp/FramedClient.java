package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.framing.FrameFormat;
import dev.mullion.net.Tls;
import dev.mullion.net.TlsState;
import dev.mullion.net.base.Check;
import dev.mullion.net.base.NettyVersion;
import java.io.IOException;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A client with its connection to one server.
 *
 * <pre>{@code
 * try (FramedClient client = FramedClient.connect("127.0.0.1", port)) {
 *   client.connection().send("hello".getBytes(UTF_8));
 *   handle(client.connection().receive());
 * }
 * }</pre>
 *
 * <p>For a server that answers each frame with one frame, in order, {@link #request} matches them; many
 * requests may be in flight:
 *
 * <pre>{@code
 * CompletableFuture<byte[]> reply = client.request("hello".getBytes(UTF_8));
 * }</pre>
 *
 * <p>Whose reply is whose is told by the order alone. A reply to a frame that was sent in another way,
 * as a greeting or by {@code connection().send}, is dropped and counted, and so is one that comes too
 * late; one that is too large fails its own request. A frame that the server does not answer is sent
 * by {@link FramedConnection#sendUnanswered}. A frame that the server sends unasked would be taken for
 * a reply: {@link TcpCounters#repliesUnrequested} counts those that come when none is due.
 *
 * <p>With {@link Builder#reconnect} it connects again when the connection was lost, or when the server
 * has ended it, be it with a FIN or the {@code close_notify} of TLS; by default it does not. A
 * connection that the server has ended takes no more frames, and what it had taken is still sent for
 * {@code closeTimeout}. Requests in flight then fail with an {@link IOException}, since they may have
 * been handled, and
 * are not sent again; requests made while there is no connection fail with a {@link
 * FrameNotSentException}.
 *
 * <p>By default: 10 seconds to connect, 30 seconds for a reply and to complete a frame, 1,024 requests
 * in flight, and no idle timeout, which is the server's to set. Its event loop is a daemon thread. Any
 * thread may call its methods.
 */
public final class FramedClient implements AutoCloseable {
  private final TcpConnector connector;
  private final long requestNanos;

  private FramedClient(TcpConnector connector, long requestNanos) {
    this.connector = connector;
    this.requestNanos = requestNanos;
  }

  /** Returns a builder that holds the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  /** Connects with the defaults. */
  public static FramedClient connect(String host, int port) throws IOException {
    return builder().host(host).port(port).connect();
  }

  /** Connects with the defaults and a format. */
  public static FramedClient connect(String host, int port, FrameFormat format) throws IOException {
    return builder().host(host).port(port).format(format).connect();
  }

  /**
   * Returns the present connection, which may have ended; after the client has connected again that is
   * another one. Frames that came on the earlier connection before its end stay there: whoever receives
   * keeps that connection until {@link FramedConnection#receive} returns {@code null} or throws, and
   * then asks for the next one.
   */
  public FramedConnection connection() {
    return connector.connection();
  }

  /** Returns whether the present connection {@linkplain FramedConnection#isOpen is open}. */
  public boolean isConnected() {
    return connector.isConnected();
  }

  /**
   * Sends a request, whose reply must come in the builder's {@code requestTimeout}.
   *
   * @return the reply, or a {@link FrameNotSentException} if the request was not sent, a {@link
   *     java.util.concurrent.TimeoutException}, a {@link dev.mullion.framing.FrameTooLargeException} if
   *     the request or its reply is too large, or an {@link IOException} if the connection was lost.
   *     A request that is cancelled before it is sent is not sent; otherwise its reply is dropped.
   *     Dependent actions run on the event loop and must not block.
   */
  public CompletableFuture<byte[]> request(byte[] frame) {
    return connector.request(requireNonNull(frame, "frame"), requestNanos);
  }

  /** Sends a request, whose reply must come in a time of its own. */
  public CompletableFuture<byte[]> request(byte[] frame, Duration timeout) {
    return connector.request(
        requireNonNull(frame, "frame"), Check.nanos(Check.positive(timeout, "timeout")));
  }

  TcpConnector connector() {
    return connector;
  }

  String target() {
    return connector.target();
  }

  /**
   * Checks the files of {@link Tls} now, and loads them if they have changed. Open connections continue
   * as they are.
   *
   * @return whether they have changed
   * @throws IOException if one cannot be used; the previous ones stay in use
   * @throws IllegalStateException if the client has no TLS
   */
  public boolean reloadTls() throws IOException {
    return connector.tls().reload();
  }

  /**
   * Returns what became of changed TLS files.
   *
   * @throws IllegalStateException if the client has no TLS
   */
  public TlsState tlsState() {
    return connector.tls().state();
  }

  /** Returns the counters over all its connections. */
  public TcpCounters counters() {
    return connector.counters();
  }

  /**
   * Sends what was taken, closes as {@link FramedConnection#close} says, and connects no more; waits for
   * that for {@code closeTimeout}, of which a server that does not end its side costs half. What is
   * then left is cut and counted, also if a callback holds the event loop: its connection is closed when
   * the callback returns. An interrupt ends the waiting and not the closing, which goes on for {@code
   * closeTimeout} at most. On the event loop it does not wait.
   */
  @Override
  public void close() {
    connector.close();
  }

  /** Collects the settings of a {@link FramedClient}. Not safe for use by several threads. */
  public static final class Builder extends ConnectionBuilder<Builder> {
    private Duration connectTimeout = Duration.ofSeconds(10);
    private Duration requestTimeout = Duration.ofSeconds(30);
    private int maxRequestsInFlight = 1024;
    private Reconnect reconnect = Reconnect.off();
    private Duration slowHandlerLimit = Duration.ofMillis(100);
    private Consumer<FramedConnection> onConnected = connection -> {};
    private @Nullable BatchHandler batchHandler;
    private NameLookup lookup = NameLookup.SHARED;
    private @Nullable SocketAddress localAddress;

    private Builder() {
      super(true, Duration.ZERO);
    }

    @Override
    Builder self() {
      return this;
    }

    /** Sets the server's port. */
    public Builder port(int port) {
      this.port = Check.within(port, 1, 65535, "port");
      return this;
    }

    /**
     * Sets how long connecting may take, at first and again, 10 seconds by default. It includes the
     * look-up of the host's name, TCP and TLS, but not the delay before an attempt. The addresses of a
     * name are tried one after the other: the next one when the one before has failed, or has had its
     * share of the time that is left. A slow one is not given up before the end, and the first that is
     * connected is taken. A look-up that takes longer is left to a thread that all clients share, up to
     * 16, until the system has answered.
     */
    public Builder connectTimeout(Duration connectTimeout) {
      this.connectTimeout = Check.positive(connectTimeout, "connectTimeout");
      return this;
    }

    /** Sets how long a reply may take, 30 seconds by default. */
    public Builder requestTimeout(Duration requestTimeout) {
      this.requestTimeout = Check.positive(requestTimeout, "requestTimeout");
      return this;
    }

    /** Sets how many requests may wait for their replies, 1,024 by default; more are refused. */
    public Builder maxRequestsInFlight(int maxRequestsInFlight) {
      this.maxRequestsInFlight =
          Check.within(maxRequestsInFlight, 1, Integer.MAX_VALUE, "maxRequestsInFlight");
      return this;
    }

    /** Sets whether and how it connects again, {@link Reconnect#off()} by default. */
    public Builder reconnect(Reconnect reconnect) {
      this.reconnect = requireNonNull(reconnect, "reconnect");
      return this;
    }

    /**
     * Sets after what time a batch handler that holds the event loop is reported, 100 ms by default: it
     * is counted, and the first of a burst is logged with its peer and stack. {@link Duration#ZERO}
     * sets no limit.
     */
    public Builder slowHandlerLimit(Duration slowHandlerLimit) {
      this.slowHandlerLimit = Check.notNegative(slowHandlerLimit, "slowHandlerLimit");
      return this;
    }

    /**
     * Sets what is called with each new connection, on the event loop, before anything is sent on it:
     * to send a greeting, for instance; by {@link FramedConnection#sendUnanswered} if the client makes
     * requests and the server does not answer it. It must not block.
     */
    public Builder onConnected(Consumer<FramedConnection> onConnected) {
      this.onConnected = requireNonNull(onConnected, "onConnected");
      return this;
    }

    /** Sets a handler that receives the frames on the event loop, in place of other ways. */
    public Builder batchHandler(BatchHandler batchHandler) {
      this.batchHandler = requireNonNull(batchHandler, "batchHandler");
      return this;
    }

    /** Sets what looks names up. */
    Builder lookup(NameLookup lookup) {
      this.lookup = lookup;
      return this;
    }

    /** Sets the address of this side, in place of one that the kernel picks. */
    Builder localAddress(SocketAddress localAddress) {
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
      if (path == null && port == 0) {
        throw new IllegalStateException("port: not set (expected: a port, or a path)");
      }
      ConnectionSettings settings = connectionSettings();
      TcpConnector connector = new TcpConnector(
          new TcpConnector.Settings(
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
      return new FramedClient(connector, Check.nanos(requestTimeout));
    }
  }
}
