package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import dev.mullion.net.base.Check;
import io.grpc.netty.NettyServerBuilder;
import io.netty.util.internal.PlatformDependent;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The limits of a server's connections: their number, handshake, age, calls, and resets. */
final class ConnectionLimits {
  /** gRPC would use this instead of a shorter time. */
  private static final Duration LEAST = Duration.ofSeconds(1);

  private static final Duration MILLISECOND = Duration.ofMillis(1);

  private int maxConnections = 10_000;
  private Duration maxConnectionAge = Duration.ZERO;
  private @Nullable Duration maxConnectionAgeGrace;
  private Duration maxConnectionIdle = Duration.ZERO;
  private Duration handshakeTimeout = Duration.ofSeconds(10);
  private int maxResets = 10_000;
  private Duration resetWindow = Duration.ofSeconds(10);

  private int maxCallsPerConnection = 1_000;

  /** 0 means the default. */
  private long pendingReplyBytes;

  /** The names of the settings that have been set. */
  private final Set<String> given = new LinkedHashSet<>();

  void maxConnections(int value) {
    maxConnections = Check.within(value, 1, Integer.MAX_VALUE, named("maxConnections"));
  }

  void maxCallsPerConnection(int value) {
    maxCallsPerConnection =
        Check.within(value, 1, Integer.MAX_VALUE, named("maxCallsPerConnection"));
  }

  int maxConnections() {
    return maxConnections;
  }

  long handshakeTimeoutNanos() {
    return Check.nanos(handshakeTimeout);
  }

  void maxConnectionAge(Duration value) {
    maxConnectionAge = Check.zeroOrAtLeast(value, LEAST, named("maxConnectionAge"));
  }

  void maxConnectionAgeGrace(Duration value) {
    maxConnectionAgeGrace = Check.notNegative(value, named("maxConnectionAgeGrace"));
  }

  void maxConnectionIdle(Duration value) {
    maxConnectionIdle = Check.zeroOrAtLeast(value, LEAST, named("maxConnectionIdle"));
  }

  void handshakeTimeout(Duration value) {
    // gRPC uses milliseconds.
    handshakeTimeout = Check.atLeast(value, MILLISECOND, named("handshakeTimeout"));
  }

  void maxResets(int value, Duration window) {
    Check.within(value, 1, Integer.MAX_VALUE, named("maxResets"));
    if (!Check.positive(window, "window").equals(Duration.ofSeconds(window.toSeconds()))
        || window.compareTo(Duration.ofDays(1)) > 0) {
      throw new IllegalArgumentException(
          "window: " + window + " (expected: whole seconds, PT1S to PT24H)");
    }
    maxResets = value;
    resetWindow = window;
  }

  void maxPendingReplyBytes(long value) {
    if (value < 1) {
      throw new IllegalArgumentException("maxPendingReplyBytes: " + value + " (expected: >= 1)");
    }
    named("maxPendingReplyBytes");
    pendingReplyBytes = value;
  }

  long maxPendingReplyBytes() {
    return pendingReplyBytes == 0
        ? PendingReplies.defaultMax(
            Runtime.getRuntime().maxMemory(), PlatformDependent.maxDirectMemory())
        : pendingReplyBytes;
  }

  private String named(String setting) {
    given.add(setting);
    return setting;
  }

  /** Throws if these settings contradict each other, or if the server is in-process. */
  void check(@Nullable String inProcessName) {
    if (inProcessName != null && !given.isEmpty()) {
      throw new IllegalStateException("inProcessName: "
          + inProcessName
          + " (expected: no "
          + String.join(", ", given)
          + " set, an in-process server has no connections)");
    }
    if (maxConnectionAgeGrace != null && maxConnectionAge.isZero()) {
      throw new IllegalStateException(
          "maxConnectionAgeGrace: " + maxConnectionAgeGrace + " (expected: maxConnectionAge set)");
    }
  }

  ResetLimit newResetLimit(String reason) {
    return new ResetLimit(maxResets, Check.nanos(resetWindow), reason);
  }

  /**
   * Applies all limits except those on connections and resets, which {@link ConnectionGate}
   * enforces.
   */
  void apply(NettyServerBuilder builder) {
    builder.maxConcurrentCallsPerConnection(maxCallsPerConnection);
    builder.handshakeTimeout(Check.nanos(handshakeTimeout), NANOSECONDS);
    // gRPC would also count resets of calls that the server has already rejected or ended.
    builder.maxRstFramesPerWindow(Integer.MAX_VALUE, 1);
    if (!maxConnectionAge.isZero()) {
      builder.maxConnectionAge(Check.nanos(maxConnectionAge), NANOSECONDS);
    }
    if (maxConnectionAgeGrace != null) {
      builder.maxConnectionAgeGrace(Check.nanos(maxConnectionAgeGrace), NANOSECONDS);
    }
    if (!maxConnectionIdle.isZero()) {
      builder.maxConnectionIdle(Check.nanos(maxConnectionIdle), NANOSECONDS);
    }
  }
}
