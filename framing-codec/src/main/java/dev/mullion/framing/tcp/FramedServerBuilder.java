package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.base.Check;
import dev.mullion.net.base.DaemonThreads;
import dev.mullion.net.base.EarlyClasses;
import dev.mullion.net.base.NettyVersion;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Collects the settings of a {@link FramedServer}. Not safe for use by several threads. */
public final class FramedServerBuilder extends ConnectionBuilder<FramedServerBuilder> {
  private static final Duration LEAST_THREAD_TIMEOUT = Duration.ofMillis(1);

  private int eventLoopThreads = Runtime.getRuntime().availableProcessors();
  private int maxConnections = 10_000;
  private @Nullable ConnectionHandler handler;
  private @Nullable Supplier<? extends BatchHandler> batchHandler;
  private @Nullable Consumer<FramedConnection> reactiveHandler;
  private @Nullable Executor executor;
  /** 0 means the default. */
  private int maxHandlerThreads;

  private Duration handlerThreadTimeout = Duration.ofSeconds(10);
  private Duration slowHandlerLimit = Duration.ofMillis(100);
  private boolean shutdownHook;
  private String threadName = "mullion-server";

  FramedServerBuilder() {
    super(false, Duration.ofMinutes(5));
  }

  @Override
  FramedServerBuilder self() {
    return this;
  }

  /** Sets the port; 0, the default, picks a free one. */
  public FramedServerBuilder port(int port) {
    this.port = Check.within(port, 0, 65535, "port");
    return this;
  }

  /** Sets the handler: blocking code, on its own thread for each connection. */
  public FramedServerBuilder handler(ConnectionHandler handler) {
    this.handler = requireNonNull(handler, "handler");
    return this;
  }

  /** Sets the factory of a handler for each connection; it is called on the event loop. */
  public FramedServerBuilder batchHandler(Supplier<? extends BatchHandler> batchHandler) {
    this.batchHandler = requireNonNull(batchHandler, "batchHandler");
    return this;
  }

  /**
   * Sets an action that runs for each new connection, on its event loop, to connect its {@link
   * FramedConnection#publisher} and {@link FramedConnection#subscriber}. It must not block.
   */
  public FramedServerBuilder reactiveHandler(Consumer<FramedConnection> reactiveHandler) {
    this.reactiveHandler = requireNonNull(reactiveHandler, "reactiveHandler");
    return this;
  }

  /**
   * Sets whether a batch handler receives long frames in parts, as in {@link
   * dev.mullion.framing.LengthDelimitedCodec.Builder#parts}; by default they are collected.
   */
  public FramedServerBuilder parts(boolean parts) {
    this.parts = parts;
    return this;
  }

  /**
   * Sets the executor of blocking handlers; each uses a thread for as long as its connection lasts.
   * The server does not shut it down. The default is a virtual thread per connection on JDK 21 and
   * newer, and {@code maxHandlerThreads} platform threads before that.
   */
  public FramedServerBuilder executor(Executor executor) {
    this.executor = requireNonNull(executor, "executor");
    return this;
  }

  /**
   * Sets the maximum number of platform threads for blocking handlers, 256 by default. Further
   * connections wait for a thread, for up to {@code handlerThreadTimeout}. Ignored with virtual
   * threads; {@link #start} fails if an executor is set too.
   */
  public FramedServerBuilder maxHandlerThreads(int maxHandlerThreads) {
    this.maxHandlerThreads = Check.within(maxHandlerThreads, 1, 1_000_000, "maxHandlerThreads");
    return this;
  }

  /**
   * Sets how long a connection may wait for a thread for its blocking handler, 10 seconds by
   * default, at least one millisecond; {@link Duration#ZERO} sets no limit. The connection is then
   * closed, logged and counted ({@link TcpCounters#connectionsNotServed}). The limit applies to
   * every kind of executor. Waiting connections are counted ({@link
   * TcpCounters#connectionsWaiting}); up to {@code maxConnections} may wait. If a waiting
   * connection breaks, it stops waiting and its handler is not called. If its peer has only ended
   * its side, it keeps waiting, since that peer may still read.
   */
  public FramedServerBuilder handlerThreadTimeout(Duration handlerThreadTimeout) {
    this.handlerThreadTimeout =
        Check.zeroOrAtLeast(handlerThreadTimeout, LEAST_THREAD_TIMEOUT, "handlerThreadTimeout");
    return this;
  }

  /**
   * Sets how long a handler may hold an event loop before it is reported, 100 ms by default. Each
   * case is counted; the first of a burst is logged with its peer and stack. {@link Duration#ZERO}
   * sets no limit. Blocking handlers hold no event loop and may take any time.
   */
  public FramedServerBuilder slowHandlerLimit(Duration slowHandlerLimit) {
    this.slowHandlerLimit = Check.notNegative(slowHandlerLimit, "slowHandlerLimit");
    return this;
  }

  /** Sets the number of event loops, 1 to 1024; the default is one per processor. */
  public FramedServerBuilder eventLoopThreads(int eventLoopThreads) {
    this.eventLoopThreads = Check.within(eventLoopThreads, 1, 1024, "eventLoopThreads");
    return this;
  }

  /** Sets the maximum number of open connections, 10,000 by default; more are closed at once. */
  public FramedServerBuilder maxConnections(int maxConnections) {
    this.maxConnections = Check.within(maxConnections, 1, Integer.MAX_VALUE, "maxConnections");
    return this;
  }

  /**
   * Sets whether the server is closed when the JVM ends, for instance by Ctrl-C or SIGTERM; off by
   * default.
   */
  public FramedServerBuilder shutdownHook(boolean shutdownHook) {
    this.shutdownHook = shutdownHook;
    return this;
  }

  FramedServerBuilder threadName(String threadName) {
    this.threadName = threadName;
    return this;
  }

  /**
   * Starts the server; returns when it is listening. If that fails, nothing is left running.
   *
   * @throws IllegalStateException if settings contradict each other, there is not exactly one
   *     handler, the transport is not available, or Netty is older than 4.2
   * @throws java.net.UnknownHostException if the host cannot be resolved
   * @throws java.net.BindException if the address cannot be bound
   * @throws IOException if the server cannot be started for another reason
   */
  public FramedServer start() throws IOException {
    NettyVersion.check();
    EarlyClasses.load(FramedServer.class);
    checkHandlers();
    ConnectionSettings connectionSettings = connectionSettings();
    FramedServer server = new FramedServer(listener(connectionSettings, handling()), closeTimeout);
    boolean complete = false;
    try {
      server.begin(observers(), shutdownHook);
      complete = true;
      return server;
    } finally {
      if (!complete) {
        server.stop(Duration.ZERO);
      }
    }
  }

  private TcpListener listener(ConnectionSettings connectionSettings, Handling handling)
      throws IOException {
    boolean started = false;
    try {
      TcpListener listener = TcpListener.start(
          new TcpSettings(
              host,
              Math.max(0, port),
              path,
              transport,
              threadName,
              eventLoopThreads,
              maxConnections,
              options(),
              TlsContext.of(tls, connectionSettings.totals()),
              handler == null ? slowHandlerLimit : Duration.ZERO),
          connectionSettings,
          handling);
      started = true;
      return listener;
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
    if (maxHandlerThreads != 0 && executor != null) {
      throw new IllegalStateException(
          "maxHandlerThreads: " + maxHandlerThreads + " (expected: no executor set)");
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
        maxHandlerThreads == 0 ? DaemonThreads.DEFAULT_MAX : maxHandlerThreads,
        Check.nanos(handlerThreadTimeout),
        maxConnections);
  }
}
