package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.StopReport;
import dev.mullion.net.base.Check;
import dev.mullion.net.base.EventLoops;
import dev.mullion.net.base.UnixSocketFile;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/** A listening socket with its connections and threads, from start to end. */
final class TcpListener {
  private static final int BACKLOG = 1024;

  /** The time for the threads of a server that fails to start to end. */
  private static final Duration END = Duration.ofSeconds(2);

  private final TcpSettings settings;
  private final ConnectionSettings connectionSettings;
  private final Handling handling;
  private final Transport transport;
  private final TransportParts netty;
  private final EventLoopGroup group;
  private final OpenConnections connections;
  private final Map<EventExecutor, LoopWatch> watches = new HashMap<>();
  private final Map<EventExecutor, ReadBuffers> reads = new HashMap<>();
  private final TcpCounters totals;
  private final @Nullable UnixSocketFile unixSocket;
  private final Channel channel;
  private final Stopping stopping;

  /** Whether this server itself closes the listening socket. */
  private volatile boolean closing;

  private TcpListener(
      TcpSettings settings, ConnectionSettings connectionSettings, Handling handling)
      throws IOException {
    this.settings = settings;
    this.connectionSettings = connectionSettings;
    this.handling = handling;
    totals = connectionSettings.totals();
    transport = settings.transport().selected();
    netty = transport.parts();
    Path path = settings.path();
    unixSocket = path == null ? null : UnixSocketFile.at(path);
    SocketAddress address = path == null
        ? new InetSocketAddress(resolve(settings.host()), settings.port())
        : netty.unixAddress(path);
    group = EventLoops.create(
        "eventLoopThreads: " + settings.eventLoopThreads(),
        settings.eventLoopThreads(),
        new DefaultThreadFactory(settings.threadName(), true),
        netty.ioHandlers());
    connections = new OpenConnections(totals);
    Watchdog watchdog = null;
    TlsContext tls = settings.tls();
    boolean started = false;
    try {
      long shortest = shortestTimeout(connectionSettings);
      group.forEach(loop -> {
        watches.put(loop, new LoopWatch(loop, shortest));
        reads.put(loop, Sockets.reads(connectionSettings, tls != null));
      });
      handling.begin(group);
      long slow = Check.nanos(settings.slowHandlerLimit());
      if (slow > 0) {
        watchdog = new Watchdog(watches.values(), slow, connectionSettings);
      }
      if (tls != null) {
        tls.start();
      }
      // Last: nothing fails after it.
      channel = bind(address);
      started = true;
    } finally {
      if (!started) {
        giveUp(watchdog);
      }
    }
    stopping = new Stopping(new Stopping.Parts(
        channel,
        unixSocket,
        group,
        connections,
        watches.values(),
        watchdog,
        handling,
        tls,
        totals,
        connectionSettings.log()));
  }

  private void giveUp(@Nullable Watchdog watchdog) {
    closing = true;
    if (watchdog != null) {
      watchdog.close();
    }
    if (settings.tls() != null) {
      settings.tls().close();
    }
    group.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(END.toMillis());
  }

  static TcpListener start(
      TcpSettings settings, ConnectionSettings connectionSettings, Handling handling)
      throws IOException {
    return new TcpListener(settings, connectionSettings, handling);
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
    return LongStream.of(settings.idleNanos(), settings.stallNanos(), settings.frameNanos())
        .filter(nanos -> nanos > 0)
        .min()
        .orElse(0);
  }

  @SuppressWarnings("unchecked") // The builder has checked that the values fit their options.
  private Channel bind(SocketAddress wanted) throws IOException {
    boolean unix = unixSocket != null;
    ServerBootstrap bootstrap = new ServerBootstrap()
        .group(group)
        .channel(unix ? netty.unixServerChannel() : netty.serverChannel())
        .option(ChannelOption.SO_BACKLOG, BACKLOG)
        .handler(new AcceptFailures(totals, connectionSettings.log(), () -> closing))
        .childHandler(new Connections());
    if (!unix) {
      bootstrap.option(ChannelOption.SO_REUSEADDR, true);
    }
    Sockets.common(connectionSettings, transport, unix)
        .forEach((option, value) -> bootstrap.childOption((ChannelOption<Object>) option, value));
    settings
        .options()
        .forEach((option, value) -> bootstrap.childOption((ChannelOption<Object>) option, value));
    UnixSocketFile file = unixSocket;
    ChannelFuture bound = bootstrap
        .bind(file == null ? wanted : netty.unixAddress(file.beside()))
        .awaitUninterruptibly();
    Throwable cause = bound.cause();
    if (cause == null && file != null) {
      Sockets.setAddress(bound.channel(), wanted);
      cause = file.publish();
    }
    if (cause == null) {
      return bound.channel();
    }
    BindException clear =
        new BindException("cannot listen on " + wanted + ": " + cause.getMessage());
    clear.initCause(cause);
    throw clear;
  }

  SocketAddress address() {
    return requireNonNull(Sockets.localAddress(channel), "address");
  }

  TlsContext tls() {
    return Check.hasTls(settings.tls(), "server");
  }

  Transport transport() {
    return transport;
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
    return group.terminationFuture().await(Check.nanos(timeout), TimeUnit.NANOSECONDS);
  }

  /** Stops, or joins a stop in progress. Returns what was cut, or null if another call does it. */
  @Nullable
  StopReport stop(Duration timeout) {
    for (EventExecutor thread : group) {
      if (thread.inEventLoop()) {
        throw new IllegalStateException("close() called by the server's own thread");
      }
    }
    closing = true;
    return stopping.stop(Check.nanos(timeout));
  }

  private ReadBuffers reads(Channel connection) {
    // With io_uring the reads of several connections are under way at a time.
    return transport == Transport.IO_URING
        ? Sockets.reads(connectionSettings, settings.tls() != null)
        : requireNonNull(reads.get(connection.eventLoop()), "reads");
  }

  /** Sets up each accepted connection, or rejects it. */
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
      connections.add(connection);
      connection.config().setRecvByteBufAllocator(reads(connection));
      HalfClose.addIfNeeded(connection, transport, unixSocket != null);
      TlsContext tls = settings.tls();
      if (tls != null) {
        connection.pipeline().addLast(tls.newHandler(connection.alloc(), null, 0));
      }
      LoopWatch watch = requireNonNull(watches.get(connection.eventLoop()), "watch");
      handling.addTo(connection.pipeline(), connectionSettings, watch, tls != null);
    }
  }
}
