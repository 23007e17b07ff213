package dev.mullion.framing.tcp;

import dev.mullion.framing.LengthDelimitedCodec;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/** A listening socket with its connections and threads, from the first to the last. */
final class TcpListener {
  private static final int LOW_WATER = 32 * 1024;
  private static final int HIGH_WATER = 64 * 1024;
  private static final int MAX_READ = 256 * 1024;
  private static final int BACKLOG = 1024;

  /** An event loop that does not do for so long what takes no time is stuck. */
  private static final long STUCK_NANOS = 1_000_000_000;

  private final TcpSettings settings;
  private final Transport.Parts transport;
  private final EventLoopGroup group;
  private final ChannelGroup connections;
  private final Map<EventExecutor, IdleWatch> watches;
  private final ServerCounters counters = new ServerCounters();
  private final AtomicBoolean closing = new AtomicBoolean();
  private final Channel channel;
  private final InetSocketAddress address;

  private TcpListener(TcpSettings settings, InetAddress host) throws IOException {
    this.settings = settings;
    transport = settings.transport().parts();
    group = group(settings, transport);
    connections = new DefaultChannelGroup(group.next());
    watches = watches(group, nanos(settings.idleTimeout()));
    channel = bind(new InetSocketAddress(host, settings.port()));
    address = (InetSocketAddress) channel.localAddress();
  }

  static TcpListener start(TcpSettings settings) throws IOException {
    InetAddress host;
    try {
      host = InetAddress.getByName(settings.host());
    } catch (UnknownHostException e) {
      UnknownHostException clear =
          new UnknownHostException("host: " + settings.host() + " cannot be resolved");
      clear.initCause(e);
      throw clear;
    }
    return new TcpListener(settings, host);
  }

  private static EventLoopGroup group(TcpSettings settings, Transport.Parts transport)
      throws IOException {
    int threads = settings.eventLoopThreads();
    try {
      return new MultiThreadIoEventLoopGroup(
          threads, new DefaultThreadFactory("mullion-echo", true), transport.ioHandlers());
    } catch (IllegalStateException e) {
      // Netty has ended those that it made; the cause is the system's, such as too many open files.
      Throwable cause = e.getCause() == null ? e : e.getCause();
      throw new IOException("eventLoopThreads: " + threads + " cannot be started: " + cause, e);
    }
  }

  private static Map<EventExecutor, IdleWatch> watches(EventLoopGroup group, long idleNanos) {
    Map<EventExecutor, IdleWatch> watches = new HashMap<>();
    if (idleNanos > 0) {
      group.forEach(loop -> watches.put(loop, new IdleWatch(loop, idleNanos)));
    }
    return watches;
  }

  private Channel bind(InetSocketAddress wanted) throws IOException {
    ServerBootstrap bootstrap = new ServerBootstrap()
        .group(group)
        .channel(transport.serverChannel())
        .option(ChannelOption.SO_BACKLOG, BACKLOG)
        .option(ChannelOption.SO_REUSEADDR, true)
        .childOption(ChannelOption.ALLOCATOR, PooledByteBufAllocator.DEFAULT)
        .childOption(ChannelOption.TCP_NODELAY, true)
        .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
        .childOption(
            ChannelOption.WRITE_BUFFER_WATER_MARK, new WriteBufferWaterMark(LOW_WATER, HIGH_WATER))
        .childOption(ChannelOption.RECVBUF_ALLOCATOR, new ReadBuffers(MAX_READ))
        .childHandler(new Connections());
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

  InetSocketAddress address() {
    return address;
  }

  Transport transport() {
    return transport.transport();
  }

  ServerCounters counters() {
    return counters;
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

  void close() {
    for (EventExecutor thread : group) {
      if (thread.inEventLoop()) {
        throw new IllegalStateException("close() called by the server's own thread");
      }
    }
    if (closing.compareAndSet(false, true)) {
      drainAndCut();
    } else {
      group.terminationFuture().awaitUninterruptibly();
    }
  }

  private void drainAndCut() {
    boolean interrupted = false;
    try {
      drain(nanos(settings.closeTimeout()));
    } catch (InterruptedException e) {
      interrupted = true;
    } finally {
      cut();
      group.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Lets each connection finish by itself, within the time given. */
  private void drain(long nanos) throws InterruptedException {
    long start = System.nanoTime();
    // Without time too: what was accepted and not set up yet would stay open.
    long limit = Math.max(nanos, STUCK_NANOS);
    channel.close().awaitUninterruptibly(limit, TimeUnit.NANOSECONDS);
    // The tasks that set up what was accepted last were queued before these.
    for (EventExecutor thread : group) {
      Future<?> setUp = thread.submit(() -> {});
      setUp.awaitUninterruptibly(left(start, limit), TimeUnit.NANOSECONDS);
    }
    Future<Void> closed = connections.newCloseFuture();
    long half = left(start, nanos) / 2;
    for (Channel connection : connections) {
      EchoHandler handler = connection.pipeline().get(EchoHandler.class);
      if (handler != null) {
        connection.eventLoop().execute(() -> handler.drain(half));
      }
    }
    closed.await(left(start, nanos), TimeUnit.NANOSECONDS);
  }

  private static long left(long start, long nanos) {
    return Math.max(0, nanos - (System.nanoTime() - start));
  }

  /** Unlike {@link Duration#toNanos}, it takes a duration that no {@code long} can hold. */
  private static long nanos(Duration duration) {
    return TimeUnit.NANOSECONDS.convert(duration);
  }

  /** Closes what is left, and lets each event loop finish that before it ends. */
  private void cut() {
    channel.close();
    counters.connectionsCut.add(connections.size());
    connections.close().awaitUninterruptibly(STUCK_NANOS, TimeUnit.NANOSECONDS);
  }

  /** Sets up each connection that is accepted, or refuses it. */
  private final class Connections extends ChannelInitializer<Channel> {
    @Override
    protected void initChannel(Channel connection) {
      if (counters.connectionsOpen.incrementAndGet() > settings.maxConnections()) {
        counters.connectionsOpen.decrementAndGet();
        counters.connectionsRefused.increment();
        connection.close();
        return;
      }
      counters.connectionsAccepted.increment();
      connection.closeFuture().addListener(done -> counters.connectionsOpen.decrementAndGet());
      connections.add(connection);
      EchoHandler handler = new EchoHandler(counters);
      IdleWatch watch = watches.get(connection.eventLoop());
      if (watch != null) {
        watch.add(handler);
        connection.closeFuture().addListener(done -> watch.remove(handler));
      }
      connection
          .pipeline()
          .addLast(
              LengthDelimitedCodec.builder()
                  .format(settings.format())
                  .counters(counters.frames())
                  .batches(true)
                  .parts(true)
                  // Replies are written as they came, in any format.
                  .decodeOnly(true)
                  .build(),
              handler);
    }
  }
}
