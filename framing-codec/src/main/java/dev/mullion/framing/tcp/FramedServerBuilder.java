package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.base.Check;
import dev.mullion.net.base.DaemonThreads;
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
  /** 0 stands for the default. */
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

  /** Sets the port; 0, the default, takes any that is free. */
  public FramedServerBuilder port(int port) {
    this.port = Check.within(port, 0, 65535, "port");
    return this;
  }

  /** Sets the handler: blocking code, on a thread of its own for each connection. */
  public FramedServerBuilder handler(ConnectionHandler handler) {
    this.handler = requireNonNull(handler, "handler");
    return this;
  }

  /** Sets what makes a handler for each connection, which is called on the event loop. */
  public FramedServerBuilder batchHandler(Supplier<? extends BatchHandler> batchHandler) {
    this.batchHandler = requireNonNull(batchHandler, "batchHandler");
    return this;
  }

  /**
   * Sets what is called with each new connection, on its event loop, to connect its {@link
   * FramedConnection#publisher} and {@link FramedConnection#subscriber}. It must not block.
   */
  public FramedServerBuilder reactiveHandler(Consumer<FramedConnection> reactiveHandler) {
    this.reactiveHandler = requireNonNull(reactiveHandler, "reactiveHandler");
    return this;
  }

  /**
   * Sets whether long frames come to a batch handler in parts, as {@link
   * dev.mullion.framing.LengthDelimitedCodec.Builder#parts} says; by default they are collected.
   */
  public FramedServerBuilder parts(boolean parts) {
    this.parts = parts;
    return this;
  }

  /**
   * Sets the executor of blocking handlers, each of which takes a thread for as long as its
   * connection lasts. It is not shut down with the server. By default there is a virtual thread for
   * each on JDK 21 and newer, and before that {@code maxHandlerThreads} threads.
   */
  public FramedServerBuilder executor(Executor executor) {
    this.executor = requireNonNull(executor, "executor");
    return this;
  }

  /**
   * Sets how many platform threads there are for blocking handlers, 256 by default. More
   * connections than that wait for one, for {@code handlerThreadTimeout}. Ignored with virtual
   * threads; {@link #start} fails if there is an executor too.
   */
  public FramedServerBuilder maxHandlerThreads(int maxHandlerThreads) {
    this.maxHandlerThreads = Check.within(maxHandlerThreads, 1, 1_000_000, "maxHandlerThreads");
    return this;
  }

  /**
   * Sets how long a connection may wait for a thread for its blocking handler, 10 seconds by
   * default, at least one millisecond; {@link Duration#ZERO} sets no limit. Then it is closed,
   * logged and counted ({@link TcpCounters#connectionsNotServed}). It holds for each kind of
   * executor. Those that wait are counted ({@link TcpCounters#connectionsWaiting}), and there may
   * be {@code maxConnections} of them. One whose connection breaks waits no more; its handler is
   * not called. One whose peer has only ended its side still waits, since that peer may still read.
   */
  public FramedServerBuilder handlerThreadTimeout(Duration handlerThreadTimeout) {
    this.handlerThreadTimeout =
        Check.zeroOrAtLeast(handlerThreadTimeout, LEAST_THREAD_TIMEOUT, "handlerThreadTimeout");
    return this;
  }

  /**
   * Sets after what time a handler that holds an event loop is reported, 100 ms by default: it is
   * counted, and the first of a burst is logged with its peer and stack. {@link Duration#ZERO} sets
   * no limit. Blocking handlers hold none, and may take any time.
   */
  public FramedServerBuilder slowHandlerLimit(Duration slowHandlerLimit) {
    this.slowHandlerLimit = Check.notNegative(slowHandlerLimit, "slowHandlerLimit");
    return this;
  }

  /** Sets the number of event loops, 1 to 1024; by default there is one for each processor. */
  public FramedServerBuilder eventLoopThreads(int eventLoopThreads) {
    this.eventLoopThreads = Check.within(eventLoopThreads, 1, 1024, "eventLoopThreads");
    return this;
  }

  /** Sets how many connections may be open, 10,000 by default; more are closed at once. */
  public FramedServerBuilder maxConnections(int maxConnections) {
    this.maxConnections = Check.within(maxConnections, 1, Integer.MAX_VALUE, "maxConnections");
    return this;
  }

  /**
   * Sets whether the server is closed when the JVM ends, such as by Ctrl-C or SIGTERM; by default
   * that is left to the program.
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
          "maxHandlerThreads: " + maxHandlerThreads + " (expected: no executor beside it)");
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
