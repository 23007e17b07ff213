package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.StopReport;
import dev.mullion.net.Tls;
import dev.mullion.net.TlsState;
import dev.mullion.net.base.Check;
import dev.mullion.net.base.NettyVersion;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A running server of framed connections.
 *
 * <pre>{@code
 *                         +--- ConnectionHandler   blocking, a thread for each connection
 *  peers --> FramedServer +--- BatchHandler        on the event loop, for speed
 *                         +--- reactive            Flow.Publisher and Flow.Subscriber
 * }</pre>
 *
 * <pre>{@code
 * FramedServer server = FramedServer.builder()
 *     .port(port)
 *     .handler(connection -> {
 *       for (byte[] frame : connection) {
 *         connection.send(frame);
 *       }
 *     })
 *     .start();
 * }</pre>
 *
 * <p>Nothing is without a bound, and what is refused, paused or cut is counted. By default: frames up
 * to 8 MiB ({@code format}), 10,000 connections, 256 KiB that wait for a handler and 1 MiB that waits
 * for a peer on each, a quarter of the heap over all; a connection may be idle for 5 minutes, and a
 * frame must be complete 30 seconds after its first byte. Beyond the memory budget those who hold the
 * most are not read from until there is room again.
 *
 * <p>Its threads are daemon threads. All methods may be called by any thread but its event loops'.
 */
public final class FramedServer implements AutoCloseable {
  private final TcpListener listener;
  private final Duration closeTimeout;

  private FramedServer(TcpListener listener, Duration closeTimeout) {
    this.listener = listener;
    this.closeTimeout = closeTimeout;
  }

  /** Returns a builder that holds the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  /** Returns the port it listens on, or -1 if that is a path. */
  public int port() {
    return listener.address() instanceof InetSocketAddress address ? address.getPort() : -1;
  }

  /** Returns the address it listens on. */
  public SocketAddress address() {
    return listener.address();
  }

  /** Returns the transport in use, never {@link Transport#AUTO}. */
  public Transport transport() {
    return listener.transport();
  }

  /** Returns the counters, which go on after it has stopped. */
  public TcpCounters counters() {
    return listener.counters();
  }

  /**
   * Checks the files of {@link Tls} now, and loads them if they have changed. Open connections continue
   * as they are.
   *
   * @return whether they have changed
   * @throws IOException if one cannot be used; the previous ones stay in use
   * @throws IllegalStateException if the server has no TLS
   */
  public boolean reloadTls() throws IOException {
    return listener.tls().reload();
  }

  /**
   * Returns what became of changed TLS files.
   *
   * @throws IllegalStateException if the server has no TLS
   */
  public TlsState tlsState() {
    return listener.tls().state();
  }

  /** Returns how many bytes all connections hold together: incomplete, not handled, not sent. */
  public long memoryUsed() {
    return listener.memoryUsed();
  }

  /** Returns whether it has stopped, with every connection closed. */
  public boolean isTerminated() {
    return listener.isTerminated();
  }

  /** Waits until it has stopped. */
  public void awaitTermination() throws InterruptedException {
    listener.awaitTermination();
  }

  /**
   * Waits until it has stopped, for so long at most.
   *
   * @return whether it has stopped
   */
  public boolean awaitTermination(Duration timeout) throws InterruptedException {
    return listener.awaitTermination(requireNonNull(timeout, "timeout"));
  }

  /** Stops within the builder's {@code closeTimeout}; see {@link #stop}. */
  @Override
  public void close() {
    stop(closeTimeout);
  }

  /**
   * Stops: no more connections are accepted and the handlers are told ({@link
   * FramedConnection#isStopping}, {@link BatchHandler#stopping}). What has come is handled and
   * answered; a connection on which nothing comes any more then gets the end of its input, and is
   * closed when its handler has ended and everything is sent: when its client has ended too, or has sent
   * nothing for a third of a second ({@link TcpCounters#closesUnconfirmed}). What is left after the
   * timeout is closed by force, and the threads of blocking handlers are interrupted, but for those of
   * an {@code executor}. When the calling thread is interrupted, that is at once.
   *
   * <p>It returns at most 2 seconds after the timeout. If a callback holds an event loop until then, the
   * connections of that loop are counted as cut, and are closed when the callback returns; a line in the
   * log tells what it does, and {@link #isTerminated} returns {@code false} until then.
   *
   * <p>A second call waits for the first, and has it cut when its own timeout is over.
   *
   * @return what was done; for a second call a report without connections
   */
  public StopReport stop(Duration timeout) {
    if (requireNonNull(timeout, "timeout").isNegative()) {
      throw new IllegalArgumentException("timeout: " + timeout + " (expected: >= PT0S)");
    }
    StopReport report = listener.stop(timeout);
    return report == null ? new StopReport(Duration.ZERO, 0, 0, 0, 0) : report;
  }

  /** Collects the settings of a {@link FramedServer}. Not safe for use by several threads. */
  public static final class Builder extends ConnectionBuilder<Builder> {
    private int eventLoopThreads = Runtime.getRuntime().availableProcessors();
    private int maxConnections = 10_000;
    private @Nullable ConnectionHandler handler;
    private @Nullable Supplier<? extends BatchHandler> batchHandler;
    private @Nullable Consumer<FramedConnection> reactiveHandler;
    private @Nullable Executor executor;
    private int maxHandlerThreads = 256;
    private Duration handlerThreadTimeout = Duration.ofSeconds(10);
    private Duration slowHandlerLimit = Duration.ofMillis(100);
    private String threadName = "mullion-server";

    private Builder() {
      super(false, Duration.ofMinutes(5));
    }

    @Override
    Builder self() {
      return this;
    }

    /** Sets the port; 0, the default, takes any that is free. */
    public Builder port(int port) {
      this.port = Check.within(port, 0, 65535, "port");
      return this;
    }

    /** Sets the handler: blocking code, on a thread of its own for each connection. */
    public Builder handler(ConnectionHandler handler) {
      this.handler = requireNonNull(handler, "handler");
      return this;
    }

    /** Sets what makes a handler for each connection, which is called on the event loop. */
    public Builder batchHandler(Supplier<? extends BatchHandler> batchHandler) {
      this.batchHandler = requireNonNull(batchHandler, "batchHandler");
      return this;
    }

    /**
     * Sets what is called with each new connection, on its event loop, to connect its {@link
     * FramedConnection#publisher} and {@link FramedConnection#subscriber}. It must not block.
     */
    public Builder reactiveHandler(Consumer<FramedConnection> reactiveHandler) {
      this.reactiveHandler = requireNonNull(reactiveHandler, "reactiveHandler");
      return this;
    }

    /**
     * Sets whether long frames come to a batch handler in parts, as {@link
     * dev.mullion.framing.LengthDelimitedCodec.Builder#parts} says; by default they are collected.
     */
    public Builder parts(boolean parts) {
      this.parts = parts;
      return this;
    }

    /**
     * Sets the executor of blocking handlers, each of which takes a thread for as long as its
     * connection lasts. It is not shut down with the server. By default there is a virtual thread for
     * each on JDK 21 and newer, and before that {@code maxHandlerThreads} threads.
     */
    public Builder executor(Executor executor) {
      this.executor = requireNonNull(executor, "executor");
      return this;
    }

    /**
     * Sets how many platform threads there are for blocking handlers, 256 by default. More connections
     * than that wait for one, for {@code handlerThreadTimeout}. Ignored with virtual threads or an
     * executor.
     */
    public Builder maxHandlerThreads(int maxHandlerThreads) {
      this.maxHandlerThreads = Check.within(maxHandlerThreads, 1, 1_000_000, "maxHandlerThreads");
      return this;
    }

    /**
     * Sets how long a connection may wait for a thread for its blocking handler, 10 seconds by default;
     * then it is closed, logged and counted ({@link TcpCounters#connectionsNotServed}). It holds for
     * each kind of executor. Those that wait are counted ({@link TcpCounters#connectionsWaiting}), and
     * there may be {@code maxConnections} of them. One whose connection breaks waits no more; its
     * handler is not called. One whose peer has only ended its side still waits, since that peer may
     * still read.
     */
    public Builder handlerThreadTimeout(Duration handlerThreadTimeout) {
      this.handlerThreadTimeout = Check.positive(handlerThreadTimeout, "handlerThreadTimeout");
      return this;
    }

    /**
     * Sets after what time a handler that holds an event loop is reported, 100 ms by default: it is
     * counted, and the first of a burst is logged with its peer and stack. {@link Duration#ZERO} sets
     * no limit. Blocking handlers hold none, and may take any time.
     */
    public Builder slowHandlerLimit(Duration slowHandlerLimit) {
      this.slowHandlerLimit = Check.notNegative(slowHandlerLimit, "slowHandlerLimit");
      return this;
    }

    /** Sets the number of event loops, 1 to 1024; by default there is one for each processor. */
    public Builder eventLoopThreads(int eventLoopThreads) {
      this.eventLoopThreads = Check.within(eventLoopThreads, 1, 1024, "eventLoopThreads");
      return this;
    }

    /** Sets how many connections may be open, 10,000 by default; more are closed at once. */
    public Builder maxConnections(int maxConnections) {
      this.maxConnections = Check.within(maxConnections, 1, Integer.MAX_VALUE, "maxConnections");
      return this;
    }

    Builder threadName(String threadName) {
      this.threadName = threadName;
      return this;
    }

    /**
     * Starts a server and returns it when it listens. If that fails, nothing is left running.
     *
     * @throws IllegalStateException if settings contradict each other, there is not exactly one
     *     handler, the transport is not available, or Netty is older than 4.2
     * @throws java.net.UnknownHostException if the host cannot be resolved
     * @throws java.net.BindException if the address cannot be listened on
     * @throws IOException if the server cannot be started otherwise
     */
    public FramedServer start() throws IOException {
      NettyVersion.check();
      checkHandlers();
      ConnectionSettings connectionSettings = connectionSettings();
      Handling handling = handling();
      boolean started = false;
      try {
        TcpListener listener = TcpListener.start(
            new TcpSettings(
                host,
                port,
                path,
                transport,
                threadName,
                eventLoopThreads,
                maxConnections,
                options(),
                TlsContext.of(tls, connectionSettings.totals()),
                handler == null ? slowHandlerLimit : Duration.ZERO,
                closeTimeout),
            connectionSettings,
            handling);
        started = true;
        return new FramedServer(listener, closeTimeout);
      } finally {
        if (!started) {
          handling.close();
        }
      }
    }

    private void checkHandlers() {
      int handlers = (handler == null ? 0 : 1)
          + (batchHandler == null ? 0 : 1)
          + (reactiveHandler == null ? 0 : 1);
      if (handlers != 1) {
        throw new IllegalStateException(
            "handlers: " + handlers + " (expected: 1 of handler, batchHandler, reactiveHandler)");
      }
      if (parts && batchHandler == null) {
        throw new IllegalStateException("parts: true needs a batchHandler");
      }
    }

    private Handling handling() {
      if (batchHandler != null) {
        return Handling.batches(batchHandler);
      }
      if (reactiveHandler != null) {
        return Handling.pulled(reactiveHandler);
      }
      return new BlockingHandling(
          requireNonNull(handler, "handler"),
          executor,
          maxHandlerThreads,
          Check.nanos(handlerThreadTimeout),
          maxConnections);
    }
  }
}
