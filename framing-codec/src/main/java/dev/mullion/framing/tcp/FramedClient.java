package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.framing.FrameFormat;
import dev.mullion.net.Tls;
import dev.mullion.net.TlsState;
import dev.mullion.net.base.Check;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

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
 * <p>For a server that answers each frame with one frame, in order, {@link #request} matches them;
 * many requests may be in flight:
 *
 * <pre>{@code
 * CompletableFuture<byte[]> reply = client.request("hello".getBytes(UTF_8));
 * }</pre>
 *
 * <p>Whose reply is whose is told by the order alone. A reply to a frame that was sent in another
 * way, as a greeting or by {@code connection().send}, is dropped and counted, and so is one that
 * comes too late; one that is too large fails its own request. A frame that the server does not
 * answer is sent by {@link FramedConnection#sendUnanswered}. A frame that the server sends unasked
 * would be taken for a reply: {@link TcpCounters#repliesUnrequested} counts those that come when
 * none is due.
 *
 * <p>With {@link FramedClientBuilder#reconnect} it connects again when the connection was lost, or
 * when the server has ended it, be it with a FIN or the {@code close_notify} of TLS; by default it
 * does not. A connection that the server has ended takes no more frames, and what it had taken is
 * still sent for {@code closeTimeout}. Requests in flight then fail with an {@link IOException},
 * since they may have been handled, and are not sent again; requests made while there is no
 * connection fail with a {@link FrameNotSentException}.
 *
 * <p>By default: 10 seconds to connect, 30 seconds for a reply and to complete a frame, 1,024
 * requests in flight, and no idle timeout, which is the server's to set. Its event loop is a daemon
 * thread. Any thread may call its methods.
 */
public final class FramedClient implements AutoCloseable {
  private final TcpConnector connector;
  private final long requestNanos;
  final Observation observation = new Observation();

  FramedClient(TcpConnector connector, long requestNanos) {
    this.connector = connector;
    this.requestNanos = requestNanos;
  }

  /** Returns a builder that holds the defaults. */
  public static FramedClientBuilder builder() {
    return new FramedClientBuilder();
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
   * Returns the present connection, which may have ended; after the client has connected again that
   * is another one. Frames that came on the earlier connection before its end stay there: whoever
   * receives keeps that connection until {@link FramedConnection#receive} returns {@code null} or
   * throws, and then asks for the next one.
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
   *     java.util.concurrent.TimeoutException}, a {@link
   *     dev.mullion.framing.FrameTooLargeException} if the request or its reply is too large, or an
   *     {@link IOException} if the connection was lost. A request that is cancelled before it is
   *     sent is not sent; otherwise its reply is dropped. Dependent actions run on the event loop
   *     and must not block.
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
    return connector.settings.target();
  }

  /**
   * Checks the files of {@link Tls} now, and loads them if they have changed. Open connections
   * continue as they are.
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
   * Sends what was taken, closes as {@link FramedConnection#close} says, and connects no more;
   * waits for that for {@code closeTimeout}, of which a server that does not end its side costs
   * half. What is then left is cut and counted, also if a callback holds the event loop: its
   * connection is closed when the callback returns. An interrupt ends the waiting and not the
   * closing, which goes on for {@code closeTimeout} at most. On the event loop it does not wait.
   */
  @Override
  public void close() {
    connector.close();
    observation.close();
  }
}
