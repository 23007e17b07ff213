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
 * The settings shared by {@link FramedServer} and {@link FramedClient}. Not safe for use by several
 * threads.
 *
 * @param <B> the kind of builder
 */
public abstract class ConnectionBuilder<B extends ConnectionBuilder<B>> {
  private static final int USUAL_LOW = 64 * 1024;

  String host = "127.0.0.1";

  /** -1 if not set. */
  int port = -1;

  @Nullable
  Path path;

  Transport transport = Transport.AUTO;

  @Nullable
  Tls tls;

  private final Map<ChannelOption<?>, Object> options = new LinkedHashMap<>();

  /** The last observer of each kind. */
  private final Map<Class<?>, TcpObserver> observers = new LinkedHashMap<>();

  private FrameFormat format = FrameFormat.defaults();
  private TooLargePolicy tooLargePolicy = TooLargePolicy.CLOSE;
  boolean parts;
  private Duration idleTimeout;
  private Duration stallTimeout;
  private Duration frameTimeout = Duration.ofSeconds(30);
  Duration closeTimeout = Duration.ofSeconds(5);
  private int inboundHigh = 256 * 1024;

  /** -1 means the default. */
  private int outboundLow = -1;

  private int outboundHigh = 1024 * 1024;

  /** 0 means the default. */
  private long memoryBudget;

  private final boolean forClient;

  /** Only this package has builders of this kind. */
  ConnectionBuilder(boolean forClient, Duration idleTimeout) {
    this.forClient = forClient;
    this.idleTimeout = idleTimeout;
    stallTimeout = idleTimeout;
  }

  abstract B self();

  /**
   * Sets the host name or address that a server listens on or a client connects to, {@code
   * 127.0.0.1} by default.
   */
  public B host(String host) {
    this.host = Check.host(host);
    return self();
  }

  /** Sets the path of a unix-domain socket, instead of host and port. */
  public B path(Path path) {
    this.path = requireNonNull(path, "path");
    return self();
  }

  /** Sets the frame format, {@link FrameFormat#defaults()} by default. */
  public B format(FrameFormat format) {
    this.format = requireNonNull(format, "format");
    return self();
  }

  /** Sets how oversized frames are handled, {@link TooLargePolicy#CLOSE} by default. */
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
   * Enables TLS; off by default. A client verifies that the server's certificate is valid for
   * {@code host}.
   */
  public B tls(Tls tls) {
    this.tls = Check.tls(tls, forClient);
    return self();
  }

  /**
   * Sets a socket option for each connection: {@code TCP_NODELAY} (on by default), {@code
   * SO_KEEPALIVE}, {@code SO_RCVBUF}, {@code SO_SNDBUF} or {@code SO_LINGER}.
   */
  public <T> B option(SocketOption<T> option, T value) {
    options.put(Sockets.option(requireNonNull(option, "option")), requireNonNull(value, "value"));
    return self();
  }

  /**
   * Sets the time after which a connection without a byte in either direction is closed. Time in
   * which this side is stalled does not count; see {@link #stallTimeout}. The default is 5 minutes
   * for a server and no limit for a client. {@link Duration#ZERO} sets no limit.
   */
  public B idleTimeout(Duration idleTimeout) {
    this.idleTimeout = Check.notNegative(idleTimeout, "idleTimeout");
    return self();
  }

  /**
   * Sets the time after which a connection is closed because this side leaves received bytes
   * unprocessed: its handler takes no frames, or the exhausted memory budget prevents reading. The
   * default is 5 minutes for a server and no limit for a client. {@link Duration#ZERO} sets no
   * limit.
   */
  public B stallTimeout(Duration stallTimeout) {
    this.stallTimeout = Check.notNegative(stallTimeout, "stallTimeout");
    return self();
  }

  /**
   * Sets how long the rest of a frame may take, 30 seconds by default; then the connection is
   * closed. Time in which this side does not read, or leaves received bytes unprocessed, does not
   * count. {@link Duration#ZERO} sets no limit.
   */
  public B frameTimeout(Duration frameTimeout) {
    this.frameTimeout = Check.notNegative(frameTimeout, "frameTimeout");
    return self();
  }

  /**
   * Sets how long closing a server or client may take, 5 seconds by default; remaining connections
   * are then cut. A closing connection is also cut if its peer accepts no outgoing bytes for this
   * long. A connection that has sent everything waits for half of it for the peer to close too; see
   * {@link FramedConnection#close}.
   */
  public B closeTimeout(Duration closeTimeout) {
    this.closeTimeout = Check.notNegative(closeTimeout, "closeTimeout");
    return self();
  }

  /**
   * Sets how many received bytes may wait on a connection before reading from its peer pauses, 256
   * KiB by default. One read, of up to 256 KiB, may exceed it.
   */
  public B inboundHighWaterMark(int inboundHighWaterMark) {
    inboundHigh = Check.within(inboundHighWaterMark, 1, Integer.MAX_VALUE, "inboundHighWaterMark");
    return self();
  }

  /**
   * Sets how far the bytes queued for a peer must drop before waiting senders resume. The default
   * is 64 KiB, or half of the high mark if that is less.
   */
  public B outboundLowWaterMark(int outboundLowWaterMark) {
    outboundLow = Check.within(outboundLowWaterMark, 0, Integer.MAX_VALUE, "outboundLowWaterMark");
    return self();
  }

  /**
   * Sets how many bytes may be queued for a peer before senders must wait, 1 MiB by default. A
   * single frame may be longer.
   */
  public B outboundHighWaterMark(int outboundHighWaterMark) {
    outboundHigh =
        Check.within(outboundHighWaterMark, 1, Integer.MAX_VALUE, "outboundHighWaterMark");
    return self();
  }

  /**
   * Sets how many bytes of memory all connections together may hold for frames that are incomplete,
   * not handled or not sent, and for incomplete TLS records. Buffers count with their full
   * capacity; the JDK's own TLS state does not count.
   *
   * <p>The budget can be exceeded by a read of 4 KiB per connection, by one frame longer than an
   * eighth of it, and by a frame or reply that is the only one queued for its peer.
   *
   * <p>Frames that wait for a blocking or reactive handler or for {@code receive} are on the heap.
   * Frames queued for a peer, frames not yet delivered to a batch handler, and TLS buffers are in
   * direct memory. The default is therefore a quarter of the maximum heap, or of the JVM's maximum
   * direct memory if that is less, and at least {@link FrameFormat#maxFrameLength}.
   */
  public B memoryBudget(long memoryBudget) {
    this.memoryBudget = Check.atLeast(memoryBudget, 64 * 1024, "memoryBudget");
    return self();
  }

  /**
   * Adds an observer of the counters: {@code observe(MicrometerMetrics.of(registry))}. It replaces
   * an earlier observer of the same kind.
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
   * Checks settings against each other.
   *
   * @throws IllegalStateException if settings contradict each other
   */
  final ConnectionSettings connectionSettings() {
    if (path != null && port >= 0) {
      throw new IllegalStateException("path: " + path + " (expected: no port set)");
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
