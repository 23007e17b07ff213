package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.TooLargePolicy;
import dev.mullion.net.Tls;
import dev.mullion.net.base.BoundedLog;
import dev.mullion.net.base.Check;
import io.netty.channel.ChannelOption;
import io.netty.util.internal.PlatformDependent;
import java.net.SocketOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The settings that a {@link FramedServer} and a {@link FramedClient} have in common. Not safe for
 * use by several threads.
 *
 * @param <B> the kind of builder
 */
public abstract sealed class ConnectionBuilder<B extends ConnectionBuilder<B>>
    permits FramedServerBuilder, FramedClientBuilder {
  private static final int USUAL_LOW = 64 * 1024;

  String host = "127.0.0.1";

  /** -1 if it is not set. */
  int port = -1;

  @Nullable
  Path path;

  Transport transport = Transport.AUTO;

  @Nullable
  Tls tls;

  private final Map<ChannelOption<?>, Object> options = new LinkedHashMap<>();

  /** Of each kind the last one. */
  private final Map<Class<?>, TcpObserver> observers = new LinkedHashMap<>();

  private FrameFormat format = FrameFormat.defaults();
  private TooLargePolicy tooLargePolicy = TooLargePolicy.CLOSE;
  boolean parts;
  private Duration idleTimeout;
  private Duration stallTimeout;
  private Duration frameTimeout = Duration.ofSeconds(30);
  Duration closeTimeout = Duration.ofSeconds(5);
  private int inboundHigh = 256 * 1024;

  /** -1 stands for the default. */
  private int outboundLow = -1;

  private int outboundHigh = 1024 * 1024;

  /** 0 stands for the default. */
  private long memoryBudget;

  private final boolean forClient;

  ConnectionBuilder(boolean forClient, Duration idleTimeout) {
    this.forClient = forClient;
    this.idleTimeout = idleTimeout;
    stallTimeout = idleTimeout;
  }

  abstract B self();

  /**
   * Sets the name or address, {@code 127.0.0.1} by default: what a server listens on, or a client
   * connects to.
   */
  public B host(String host) {
    this.host = Check.host(host);
    return self();
  }

  /** Sets the path of a unix-domain socket, in place of host and port. */
  public B path(Path path) {
    this.path = requireNonNull(path, "path");
    return self();
  }

  /** Sets the format of the frames, {@link FrameFormat#defaults()} by default. */
  public B format(FrameFormat format) {
    this.format = requireNonNull(format, "format");
    return self();
  }

  /** Sets what happens to a frame that is too large, {@link TooLargePolicy#CLOSE} by default. */
  public B tooLargePolicy(TooLargePolicy tooLargePolicy) {
    this.tooLargePolicy = requireNonNull(tooLargePolicy, "tooLargePolicy");
    return self();
  }

  /** Sets the transport, {@link Transport#AUTO} by default. */
  public B transport(Transport transport) {
    this.transport = requireNonNull(transport, "transport");
    return self();
  }

  /**
   * Enables TLS; it is off by default. A client verifies that the server's certificate is for
   * {@code host}.
   */
  public B tls(Tls tls) {
    this.tls = Check.tls(tls, forClient);
    return self();
  }

  /**
   * Sets an option of each connection's socket: {@code TCP_NODELAY} (on by default), {@code
   * SO_KEEPALIVE}, {@code SO_RCVBUF}, {@code SO_SNDBUF} or {@code SO_LINGER}.
   */
  public <T> B option(SocketOption<T> option, T value) {
    options.put(Sockets.option(requireNonNull(option, "option")), requireNonNull(value, "value"));
    return self();
  }

  /**
   * Sets how long a connection may stay without a byte in either direction; then it is closed. The
   * time in which this side does not go on, {@link #stallTimeout}, does not count. By default it is
   * 5 minutes for a server, and without limit for a client. {@link Duration#ZERO} sets no limit.
   */
  public B idleTimeout(Duration idleTimeout) {
    this.idleTimeout = Check.notNegative(idleTimeout, "idleTimeout");
    return self();
  }

  /**
   * Sets how long this side may leave bytes alone that came, since its handler takes no frame, or
   * may not read, since the memory budget is used up; then the connection is closed. By default it
   * is 5 minutes for a server, and without limit for a client. {@link Duration#ZERO} sets no limit.
   */
  public B stallTimeout(Duration stallTimeout) {
    this.stallTimeout = Check.notNegative(stallTimeout, "stallTimeout");
    return self();
  }

  /**
   * Sets how long the rest of a frame may take, 30 seconds by default; then the connection is
   * closed. The time in which this side does not read, or does not take what came, does not count.
   * {@link Duration#ZERO} sets no limit.
   */
  public B frameTimeout(Duration frameTimeout) {
    this.frameTimeout = Check.notNegative(frameTimeout, "frameTimeout");
    return self();
  }

  /**
   * Sets how long closing a server or client may take before what is left is cut, 5 seconds by
   * default. It is also the time after which a connection that is being closed is cut, if in all of
   * it its peer took nothing of what was to be sent. Half of it is how long a connection that has
   * sent everything waits for its peer to end too, as {@link FramedConnection#close} says.
   */
  public B closeTimeout(Duration closeTimeout) {
    this.closeTimeout = Check.notNegative(closeTimeout, "closeTimeout");
    return self();
  }

  /**
   * Sets how many bytes may wait on a connection for whoever takes its frames before its peer is
   * not read from, 256 KiB by default. One read, of up to 256 KiB, may come on top.
   */
  public B inboundHighWaterMark(int inboundHighWaterMark) {
    inboundHigh = Check.within(inboundHighWaterMark, 1, Integer.MAX_VALUE, "inboundHighWaterMark");
    return self();
  }

  /**
   * Sets how few bytes must wait for a peer before senders go on. By default it is 64 KiB, or half
   * of the high mark if that is less.
   */
  public B outboundLowWaterMark(int outboundLowWaterMark) {
    outboundLow = Check.within(outboundLowWaterMark, 0, Integer.MAX_VALUE, "outboundLowWaterMark");
    return self();
  }

  /**
   * Sets how many bytes may wait for a peer before senders have to wait, 1 MiB by default. A single
   * frame may be longer.
   */
  public B outboundHighWaterMark(int outboundHighWaterMark) {
    outboundHigh =
        Check.within(outboundHighWaterMark, 1, Integer.MAX_VALUE, "outboundHighWaterMark");
    return self();
  }

  /**
   * Sets how many bytes of memory all connections together may hold for frames that are incomplete,
   * not handled or not sent, and for records of TLS that are incomplete. Buffers count with all
   * their capacity; the JDK's own state of TLS does not. It is exceeded at most by a read of 4 KiB
   * for each connection, by one frame if that is longer than an eighth of it, and by a frame or
   * reply that is the only one to wait for its peer. What waits for a blocking or reactive handler
   * or for {@code receive} is on the heap; what waits for a peer, what a batch handler has not got
   * yet, and what TLS holds is in direct memory. So by default it is a quarter of the largest heap,
   * or of the direct memory that the JVM allows if that is less, and at least {@link
   * FrameFormat#maxFrameLength}.
   */
  public B memoryBudget(long memoryBudget) {
    this.memoryBudget = Check.atLeast(memoryBudget, 64 * 1024, "memoryBudget");
    return self();
  }

  /**
   * Has the counters measured: {@code observe(MicrometerMetrics.of(registry))}. Of each kind of
   * observer the last one counts.
   */
  public B observe(TcpObserver observer) {
    observers.put(requireNonNull(observer, "observer").getClass(), observer);
    return self();
  }

  final Collection<TcpObserver> observers() {
    return List.copyOf(observers.values());
  }

  final Map<ChannelOption<?>, Object> options() {
    return Map.copyOf(options);
  }

  /**
   * Checks what only shows when everything is set.
   *
   * @throws IllegalStateException if settings contradict each other
   */
  final ConnectionSettings connectionSettings() {
    if (path != null && port >= 0) {
      throw new IllegalStateException("path: " + path + " (expected: no port beside it)");
    }
    return new ConnectionSettings(
        format,
        tooLargePolicy,
        parts,
        Check.nanos(idleTimeout),
        Check.nanos(stallTimeout),
        Check.nanos(frameTimeout),
        Check.nanos(closeTimeout),
        inboundHigh,
        lowMark(),
        outboundHigh,
        new MemoryBudget(budget(), format.maxFrameLength()),
        new TcpCounters(),
        new BoundedLog<>(LinkContext.LOG, Event.class));
  }

  private int lowMark() {
    int low = outboundLow < 0 ? Math.min(USUAL_LOW, outboundHigh / 2) : outboundLow;
    if (low > outboundHigh) {
      throw new IllegalStateException("outboundLowWaterMark: "
          + low
          + " (expected: <= outboundHighWaterMark: "
          + outboundHigh
          + ")");
    }
    return low;
  }

  private long budget() {
    int longest = format.maxFrameLength();
    if (memoryBudget == 0) {
      long memory = Math.min(Runtime.getRuntime().maxMemory(), PlatformDependent.maxDirectMemory());
      return Math.max(longest, memory / 4);
    }
    if (memoryBudget < longest) {
      throw new IllegalStateException(
          "memoryBudget: " + memoryBudget + " (expected: >= maxFrameLength: " + longest + ")");
    }
    return memoryBudget;
  }
}
