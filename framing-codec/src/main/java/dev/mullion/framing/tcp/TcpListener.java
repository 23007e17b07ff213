package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.WARNING;
import static java.util.Objects.requireNonNull;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** A listening socket with its connections and threads, from the first to the last. */
final class TcpListener {
  private static final int BACKLOG = 1024;

  /** An event loop that does not do for so long what takes no time is stuck. */
  private static final long STUCK_NANOS = 1_000_000_000;

  private final TcpSettings settings;
  private final ConnectionSettings connectionSettings;
  private final Handling handling;
  private final Transport.Parts transport;
  private final EventLoopGroup group;
  private final ChannelGroup connections;
  private final Map<EventExecutor, LoopWatch> watches = new HashMap<>();
  private final @Nullable Watchdog watchdog;
  private final TcpCounters totals;
  private final AtomicBoolean closing = new AtomicBoolean();
  private final Channel channel;

  private TcpListener(
      TcpSettings settings,
      ConnectionSettings connectionSettings,
      Handling handling,
      SocketAddress address)
      throws IOException {
    this.settings = settings;
    this.connectionSettings = connectionSettings;
    this.handling = handling;
    totals = connectionSettings.totals();
    transport = settings.transport().parts();
    group = group(settings, transport);
    connections = new DefaultChannelGroup(group.next());
    long shortest = shortestTimeout(connectionSettings);
    group.forEach(loop -> watches.put(loop, new LoopWatch(loop, shortest)));
    channel = bind(address);
    long slow = nanos(settings.slowHandlerLimit());
    watchdog = slow > 0 ? new Watchdog(watches.values(), slow, totals) : null;
  }

  static TcpListener start(
      TcpSettings settings, ConnectionSettings connectionSettings, Handling handling)
      throws IOException {
    return new TcpListener(settings, connectionSettings, handling, address(settings));
  }

  private static SocketAddress address(TcpSettings settings) throws IOException {
    Path path = settings.path();
    if (path != null) {
      UnixSocket.removeStale(path);
      return settings.transport().parts().unixAddress(path);
    }
    return new InetSocketAddress(resolve(settings.host()), settings.port());
  }

  static InetAddress resolve(String host) throws UnknownHostException {
    try {
      return InetAddress.getByName(host);
    } catch (UnknownHostException e) {
      UnknownHostException clear =
          new UnknownHostException("host: " + host + " cannot be resolved");
      clear.initCause(e);
      throw clear;
    }
  }

  static long shortestTimeout(ConnectionSettings settings) {
    long idle = settings.idleNanos();
    long frame = settings.frameNanos();
    return idle > 0 && frame > 0 ? Math.min(idle, frame) : Math.max(idle, frame);
  }

  private static EventLoopGroup group(TcpSettings settings, Transport.Parts transport)
      throws IOException {
    int threads = settings.eventLoopThreads();
    try {
      return new MultiThreadIoEventLoopGroup(
          threads, new DefaultThreadFactory(settings.threadName(), true), transport.ioHandlers());
    } catch (IllegalStateException e) {
      // Netty has ended those that it made; the cause is the system's, such as too many open files.
      Throwable cause = e.getCause() == null ? e : e.getCause();
      throw new IOException("eventLoopThreads: " + threads + " cannot be started: " + cause, e);
    }
  }

  @SuppressWarnings("unchecked") // The builder has checked that the values fit their options.
  private Channel bind(SocketAddress wanted) throws IOException {
    boolean unix = settings.path() != null;
    ServerBootstrap bootstrap = new ServerBootstrap()
        .group(group)
        .channel(unix ? transport.unixServerChannel() : transport.serverChannel())
        .option(ChannelOption.SO_BACKLOG, BACKLOG)
        .childHandler(new Connections());
    if (!unix) {
      bootstrap.option(ChannelOption.SO_REUSEADDR, true);
    }
    Sockets.common(connectionSettings, transport.transport(), unix, settings.tls() != null)
        .forEach((option, value) -> bootstrap.childOption((ChannelOption<Object>) option, value));
    settings
        .options()
        .forEach((option, value) -> bootstrap.childOption((ChannelOption<Object>) option, value));
    ChannelFuture bound = bootstrap.bind(wanted).awaitUninterruptibly();
    if (bound.isSuccess()) {
      return bound.channel();
    }
    group.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
    Throwable cause = bound.cause();
    BindException clear =
        new BindException("cannot listen on " + wanted + ": " + cause.getMessage());
    clear.initCause(cause);
    throw clear;
  }

  SocketAddress address() {
    return channel.localAddress();
  }

  Transport transport() {
    return transport.transport();
  }

  long memoryUsed() {
    return connectionSettings.budget().used();
  }

  TcpCounters counters() {
    return totals;
  }

  boolean isTerminated() {
    return group.isTerminated();
  }

  void awaitTermination() throws InterruptedException {
    group.terminationFuture().await();
  }

  boolean awaitTermination(Duration timeout) throws InterruptedException {
    return group.terminationFuture().await(nanos(timeout), TimeUnit.NANOSECONDS);
  }

  /** Stops, or waits for the stop that is on. Returns what was cut, or null if another did it. */
  @Nullable
  StopReport stop(Duration timeout) {
    for (EventExecutor thread : group) {
      if (thread.inEventLoop()) {
        throw new IllegalStateException("close() called by the server's own thread");
      }
    }
    if (!closing.compareAndSet(false, true)) {
      group.terminationFuture().awaitUninterruptibly();
      return null;
    }
    return drainAndCut(nanos(timeout));
  }

  private StopReport drainAndCut(long timeout) {
    long start = System.nanoTime();
    int open = connections.size();
    boolean interrupted = false;
    Left left = new Left(0, 0, 0);
    try {
      open = drain(timeout);
    } catch (InterruptedException e) {
      interrupted = true;
    } finally {
      left = cut();
      if (watchdog != null) {
        watchdog.close();
      }
      group.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
    return new StopReport(
        Duration.ofNanos(System.nanoTime() - start),
        Math.max(0, open - left.connections),
        left.connections,
        left.toSend,
        left.toHandle);
  }

  /** Lets each connection finish by itself, within the time given. Returns how many there were. */
  private int drain(long nanos) throws InterruptedException {
    long start = System.nanoTime();
    // Without time too: what was accepted and not set up yet would stay open.
    long limit = Math.max(nanos, STUCK_NANOS);
    channel.close().awaitUninterruptibly(limit, TimeUnit.NANOSECONDS);
    // The tasks that set up what was accepted last were queued before these.
    for (EventExecutor thread : group) {
      Future<?> setUp = thread.submit(() -> {});
      setUp.awaitUninterruptibly(left(start, limit), TimeUnit.NANOSECONDS);
    }
    int open = connections.size();
    Future<Void> closed = connections.newCloseFuture();
    long half = left(start, nanos) / 2;
    for (Channel connection : connections) {
      Link link = connection.pipeline().get(Link.class);
      if (link != null) {
        connection.eventLoop().execute(() -> link.ending.drain(half));
      }
    }
    closed.await(left(start, nanos), TimeUnit.NANOSECONDS);
    return open;
  }

  private static long left(long start, long nanos) {
    return Math.max(0, nanos - (System.nanoTime() - start));
  }

  /** Unlike {@link Duration#toNanos}, it takes a duration that no {@code long} can hold. */
  static long nanos(Duration duration) {
    return TimeUnit.NANOSECONDS.convert(duration);
  }

  private void removePath() {
    Path path = settings.path();
    try {
      if (path != null && Files.deleteIfExists(path)) {
        Link.LOG.log(DEBUG, "removed the socket {0}", path);
      }
    } catch (IOException e) {
      Link.LOG.log(WARNING, "socket " + path + " cannot be removed", e);
    }
  }

  /** What connections had before them when they were cut. */
  private record Left(int connections, long toSend, long toHandle) {}

  /** Closes what is left, and lets each event loop finish that before it ends. */
  private Left cut() {
    channel.close().awaitUninterruptibly(STUCK_NANOS, TimeUnit.NANOSECONDS);
    removePath();
    long toSend = 0;
    long toHandle = 0;
    List<Channel> left = List.copyOf(connections);
    for (Channel connection : left) {
      Link link = connection.pipeline().get(Link.class);
      if (link != null && link.isOpened()) {
        toSend += link.connection().outbound().held();
        toHandle += link.bytesNotTaken();
        link.ending.abort(new IOException("server was stopped (peer " + link.peer() + ")"));
      }
    }
    totals.connectionsCut.add(left.size());
    connections.close().awaitUninterruptibly(STUCK_NANOS, TimeUnit.NANOSECONDS);
    return new Left(left.size(), toSend, toHandle);
  }

  /** Sets up each connection that is accepted, or refuses it. */
  private final class Connections extends ChannelInitializer<Channel> {
    @Override
    protected void initChannel(Channel connection) {
      if (totals.connectionsOpen.incrementAndGet() > settings.maxConnections()) {
        totals.connectionsOpen.decrementAndGet();
        totals.connectionsRefused.increment();
        connection.close();
        return;
      }
      totals.connectionsOpened.increment();
      connection.closeFuture().addListener(done -> totals.connectionsOpen.decrementAndGet());
      connections.add(connection);
      TlsContext tls = settings.tls();
      if (tls != null) {
        connection.pipeline().addLast(tls.newHandler(connection.alloc(), null, 0));
      }
      LoopWatch watch = requireNonNull(watches.get(connection.eventLoop()), "watch");
      handling.addTo(connection.pipeline(), connectionSettings, watch, tls != null);
    }
  }
}
