package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.DEBUG;
import static java.util.Objects.requireNonNull;

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ConnectTimeoutException;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.SocketException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A client's event loop and the connections that it makes, one after the other. */
final class TcpConnector {
  /** What a client was told of its socket and its requests. */
  record Settings(
      String host,
      int port,
      @Nullable Path path,
      Transport transport,
      Map<ChannelOption<?>, Object> options,
      @Nullable TlsContext tls,
      long connectNanos,
      int maxRequestsInFlight,
      Reconnect reconnect,
      long slowHandlerNanos,
      Consumer<FramedConnection> onConnected) {}

  /** What Netty's native transports put before the text of an error. */
  private static final String SYSTEM_CALL =
      "^[\\w ]+\\(\\.\\.\\) failed( with error\\(-?\\d+\\))?: ";

  private final Settings settings;
  private final ConnectionSettings connectionSettings;
  private final @Nullable BatchHandler batchHandler;
  private final Transport.Parts transport;
  private final EventLoopGroup group;
  private final EventLoop loop;
  private final LoopWatch watch;
  private final @Nullable Watchdog watchdog;
  private volatile @Nullable FramedConnection connection;

  /** Whether a request was ever made: later connections begin with taking replies then. */
  private volatile boolean makesRequests;

  private volatile boolean closed;

  TcpConnector(
      Settings settings,
      ConnectionSettings connectionSettings,
      @Nullable BatchHandler batchHandler) {
    this.settings = settings;
    this.connectionSettings = connectionSettings;
    this.batchHandler = batchHandler;
    transport = settings.transport().parts();
    group = new MultiThreadIoEventLoopGroup(
        1, new DefaultThreadFactory("mullion-client", true), transport.ioHandlers());
    loop = group.next();
    watch = new LoopWatch(loop, TcpListener.shortestTimeout(connectionSettings));
    long slow = settings.slowHandlerNanos();
    watchdog = batchHandler == null || slow == 0
        ? null
        : new Watchdog(List.of(watch), slow, connectionSettings);
  }

  TcpCounters counters() {
    return connectionSettings.totals();
  }

  FramedConnection connection() {
    return requireNonNull(connection, "connection");
  }

  /** Connects for the first time, and ends the event loop if that fails. */
  void connect() throws IOException {
    boolean connected = false;
    try {
      begin().get(settings.connectNanos(), TimeUnit.NANOSECONDS);
      connected = true;
    } catch (ExecutionException e) {
      throw clear(e.getCause() == null ? e : e.getCause());
    } catch (TimeoutException e) {
      throw clear(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while connecting to " + target());
    } finally {
      if (!connected) {
        close();
      }
    }
  }

  private IOException clear(Throwable cause) {
    String text = "cannot connect to " + target() + ": " + inPlainWords(cause);
    if (cause instanceof java.net.UnknownHostException) {
      return (IOException) cause;
    }
    if (cause instanceof SocketException
        || cause instanceof TimeoutException
        || cause instanceof FileNotFoundException
        || cause.getClass() == IOException.class) {
      ConnectException clear = new ConnectException(text);
      clear.initCause(cause);
      return clear;
    }
    return new IOException(text, cause);
  }

  /** Leaves out the names of system calls, the numbers of errors and what Netty adds of the address. */
  private String inPlainWords(Throwable error) {
    if (error instanceof TimeoutException || error instanceof ConnectTimeoutException) {
      return "not connected in " + connectMillis() + " ms (connectTimeout)";
    }
    if (error instanceof FileNotFoundException && error.getMessage() == null) {
      return "no such file or directory"; // Of a unix-domain socket.
    }
    Throwable cause =
        error instanceof SocketException && error.getCause() != null ? error.getCause() : error;
    String text = String.valueOf(cause.getMessage()).replaceFirst(SYSTEM_CALL, "");
    return text.startsWith("Connection ") || text.startsWith("No ")
        ? text.substring(0, 1).toLowerCase(Locale.ROOT) + text.substring(1)
        : text;
  }

  /** Returns what it connects to: host and port, or a path. */
  String target() {
    return settings.path() == null
        ? settings.host() + ":" + settings.port()
        : settings.path().toString();
  }

  /** Makes a connection; the future completes when frames can go to and fro. */
  @SuppressWarnings("unchecked") // The builder has checked that the values fit their options.
  private CompletableFuture<FramedConnection> begin() {
    CompletableFuture<FramedConnection> made = new CompletableFuture<>();
    SocketAddress address;
    try {
      address = address();
    } catch (IOException e) {
      made.completeExceptionally(e);
      return made;
    }
    boolean unix = settings.path() != null;
    Setup setup = new Setup(made);
    Bootstrap bootstrap = new Bootstrap()
        .group(loop)
        .channel(unix ? transport.unixChannel() : transport.channel())
        .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, connectMillis())
        .handler(setup);
    Sockets.common(connectionSettings, transport.transport(), unix, settings.tls() != null)
        .forEach((option, value) -> bootstrap.option((ChannelOption<Object>) option, value));
    settings
        .options()
        .forEach((option, value) -> bootstrap.option((ChannelOption<Object>) option, value));
    bootstrap.connect(address).addListener((ChannelFutureListener) connected -> {
      if (!connected.isSuccess()) {
        made.completeExceptionally(requireNonNull(connected.cause(), "cause"));
        return;
      }
      // Not before: a channel that cannot be connected is closed too, with some transports earlier.
      connected.channel().closeFuture().addListener(done -> setup.closed());
    });
    return made;
  }

  private int connectMillis() {
    long millis = TimeUnit.NANOSECONDS.toMillis(settings.connectNanos());
    return (int) Math.max(1, Math.min(Integer.MAX_VALUE, millis));
  }

  /** Looks the name up, at first on the caller's thread, later on a loop that has nothing else to do. */
  private SocketAddress address() throws IOException {
    Path path = settings.path();
    return path == null
        ? new InetSocketAddress(TcpListener.resolve(settings.host()), settings.port())
        : transport.unixAddress(path);
  }

  private final class Setup extends ChannelInitializer<Channel> {
    private final CompletableFuture<FramedConnection> made;
    private @Nullable Link link;

    Setup(CompletableFuture<FramedConnection> made) {
      this.made = made;
    }

    @Override
    protected void initChannel(Channel channel) {
      HalfClose.addIfNeeded(channel, transport.transport(), settings.path() != null);
      TlsContext tls = settings.tls();
      if (tls != null) {
        channel
            .pipeline()
            .addLast(tls.newHandler(channel.alloc(), settings.host(), settings.port()));
      }
      handling().addTo(channel.pipeline(), connectionSettings, watch, tls != null);
      // Its pipeline may be empty again by the time that anybody hears that it is connected.
      link = channel.pipeline().get(Link.class);
    }

    void closed() {
      Throwable failure = link == null ? null : link.ending.cause();
      made.completeExceptionally(failure == null ? new IOException("closed by the peer") : failure);
    }

    private Handling handling() {
      BatchHandler handler = batchHandler;
      return handler == null
          ? Handling.pulled(this::opened)
          : Handling.batches(() -> new Announcing(handler, this::opened));
    }

    private void opened(FramedConnection opened) {
      if (closed) {
        opened.abort();
        return;
      }
      TcpCounters totals = counters();
      settings.onConnected().accept(opened);
      totals.connectionsOpened.increment();
      totals.connectionsOpen.incrementAndGet();
      connection = opened;
      if (makesRequests) {
        // Whoever makes requests only is to see the end of a connection without making one.
        opened.requests(settings.maxRequestsInFlight());
      }
      opened.closed().whenComplete((done, error) -> {
        totals.connectionsOpen.decrementAndGet();
        reconnect(1);
      });
      made.complete(opened);
    }
  }

  /** A batch handler that also says that its connection is there. */
  private record Announcing(BatchHandler handler, Consumer<FramedConnection> onOpened)
      implements BatchHandler {
    @Override
    public void opened(FramedConnection connection) {
      onOpened.accept(connection);
      handler.opened(connection);
    }

    @Override
    public void frames(FramedConnection connection, dev.mullion.framing.FrameBatch batch) {
      handler.frames(connection, batch);
    }

    @Override
    public void inputEnded(FramedConnection connection) {
      handler.inputEnded(connection);
    }

    @Override
    public void closed(FramedConnection connection, @Nullable Throwable cause) {
      handler.closed(connection, cause);
    }
  }

  /** On the event loop: tries again after a while, if that is wanted. */
  private void reconnect(int attempt) {
    if (closed || !settings.reconnect().allows(attempt)) {
      return;
    }
    long delay =
        settings.reconnect().delayNanos(attempt, ThreadLocalRandom.current().nextDouble());
    loop.schedule(
        () -> {
          if (!closed) {
            begin().whenComplete((made, error) -> reconnected(attempt, error));
          }
        },
        delay,
        TimeUnit.NANOSECONDS);
  }

  private void reconnected(int attempt, @Nullable Throwable error) {
    if (error == null) {
      counters().reconnects.increment();
    } else {
      connectionSettings.log().log(
          Event.RECONNECT_FAILED,
          DEBUG,
          target(),
          () -> "attempt " + attempt + " to connect to " + target() + " again failed: " + error);
      reconnect(attempt + 1);
    }
  }

  CompletableFuture<byte[]> request(byte[] frame, long timeoutNanos) {
    makesRequests = true;
    return connection().requests(settings.maxRequestsInFlight()).send(frame, timeoutNanos);
  }

  void close() {
    closed = true;
    FramedConnection present = connection;
    if (present != null) {
      present.close();
    }
    if (watchdog != null) {
      watchdog.close();
    }
    if (!loop.inEventLoop()) {
      group
          .shutdownGracefully(0, connectionSettings.closeNanos(), TimeUnit.NANOSECONDS)
          .awaitUninterruptibly();
    } else {
      group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
  }
}
