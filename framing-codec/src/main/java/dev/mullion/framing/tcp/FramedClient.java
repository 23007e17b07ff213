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
 * A client with one connection to a server.
 *
 * <pre>{@code
 * try (FramedClient client = FramedClient.connect("127.0.0.1", port)) {
 *   client.connection().send("hello".getBytes(UTF_8));
 *   handle(client.connection().receive());
 * }
 * }</pre>
 *
 * <p>If the server answers each frame with one frame, in order, {@link #request} matches replies to
 * requests. Many requests may be in flight:
 *
 * <pre>{@code
 * CompletableFuture<byte[]> reply = client.request("hello".getBytes(UTF_8));
 * }</pre>
 *
 * <p>Replies are matched by order alone. A reply to a frame that was not sent by {@code request},
 * such as a greeting or a frame of {@code connection().send}, is dropped and counted. A reply that
 * arrives after its request timed out is dropped and counted too. An oversized reply fails its own
 * request. Use {@link FramedConnection#sendUnanswered} for a frame that the server does not answer.
 * An unsolicited frame from the server would be mistaken for a reply: {@link
 * TcpCounters#repliesUnrequested} counts those that arrive when no reply is due.
 *
 * <p>With {@link FramedClientBuilder#reconnect} the client reconnects when the connection is lost,
 * or when the server ends it with a FIN or TLS {@code close_notify}; by default it does not. A
 * connection ended by the server accepts no more frames; frames it has already accepted are still
 * sent for up to {@code closeTimeout}. Requests in flight then fail with an {@link IOException} and
 * are not sent again, since the server may have handled them. Requests made while there is no
 * connection fail with a {@link FrameNotSentException}.
 *
 * <p>Defaults: 10 seconds to connect, 30 seconds for a reply and to complete a frame, 1,024
 * requests in flight, and no idle timeout (the server sets one). Its event loop is a daemon thread.
 * Any thread may call its methods.
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
   * Returns the current connection, which may have ended; after a reconnect it is another one.
   * Frames received on the earlier connection stay there: keep receiving from it until {@link
   * FramedConnection#receive} returns {@code null} or throws, and then ask for the next connection.
   */
  public FramedConnection connection() {
    return connector.connection();
  }

  /** Returns whether the current connection {@linkplain FramedConnection#isOpen is open}. */
  public boolean isConnected() {
    return connector.isConnected();
  }

  /**
   * Sends a request; its reply must arrive within the builder's {@code requestTimeout}.
   *
   * @return completes with the reply. It fails with a {@link FrameNotSentException} if the request
   *     was not sent, a {@link java.util.concurrent.TimeoutException}, a {@link
   *     dev.mullion.framing.FrameTooLargeException} if the request or its reply is too large, or an
   *     {@link IOException} if the connection was lost. Cancelling prevents an unsent request from
   *     being sent; otherwise its reply is dropped. Dependent actions run on the event loop and
   *     must not block.
   */
  public CompletableFuture<byte[]> request(byte[] frame) {
    return connector.request(requireNonNull(frame, "frame"), requestNanos);
  }

  /** Sends a request with its own timeout for the reply. */
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
   * Checks the files of {@link Tls} now, and loads them if they have changed. Open connections are
   * not affected.
   *
   * @return whether they have changed
   * @throws IOException if a file cannot be used; the previous ones stay in use
   * @throws IllegalStateException if the client has no TLS
   */
  public boolean reloadTls() throws IOException {
    return connector.tls().reload();
  }

  /**
   * Returns the state of the TLS files and their reloads.
   *
   * @throws IllegalStateException if the client has no TLS
   */
  public TlsState tlsState() {
    return connector.tls().state();
  }

  /** Returns the counters of all its connections. */
  public TcpCounters counters() {
    return connector.counters();
  }

  /**
   * Sends the accepted frames, closes as {@link FramedConnection#close} describes, and does not
   * reconnect. Waits for up to {@code closeTimeout}; a server that does not end its side costs half
   * of it. Whatever remains is then cut and counted. If a callback holds the event loop, its
   * connection closes when the callback returns. An interrupt ends the waiting, not the closing,
   * which continues for up to {@code closeTimeout}. On the event loop it does not wait.
   */
  @Override
  public void close() {
    connector.close();
    observation.close();
  }
}
