package dev.mullion.rpc;

import dev.mullion.net.base.Check;
import io.grpc.Status;
import java.time.Duration;

/**
 * How servers and clients detect dead connections, as one immutable value for both.
 *
 * <pre>{@code
 * Keepalive keepalive = Keepalive.defaults().time(Duration.ofSeconds(20)).withoutCalls(true);
 * }</pre>
 *
 * <p>Each side pings after {@code time} without inbound data, and closes the connection when {@code
 * timeout} passes without an answer. A server closes the connection of a client that pings more
 * often than it permits, with {@code ENHANCE_YOUR_CALM}. A server permits the pings of clients that
 * use the same value. The defaults are 60 seconds, 20 seconds, and no pings on connections without
 * calls.
 *
 * @param time the time without inbound data before a ping; at least 10 seconds, the minimum of gRPC
 * @param timeout how long an answer may take; at least 10 ms, the minimum of gRPC
 * @param withoutCalls whether connections without calls are pinged too
 */
public record Keepalive(Duration time, Duration timeout, boolean withoutCalls) {
  private static final Duration LEAST = Duration.ofSeconds(10);
  private static final Duration LEAST_TIMEOUT = Duration.ofMillis(10);

  /** Checks the durations. */
  public Keepalive {
    Check.atLeast(time, LEAST, "time");
    Check.atLeast(timeout, LEAST_TIMEOUT, "timeout");
  }

  /** Returns the defaults. */
  public static Keepalive defaults() {
    return new Keepalive(Duration.ofSeconds(60), Duration.ofSeconds(20), false);
  }

  /** Returns a copy with another time. */
  public Keepalive time(Duration time) {
    return new Keepalive(time, timeout, withoutCalls);
  }

  /** Returns a copy with another timeout. */
  public Keepalive timeout(Duration timeout) {
    return new Keepalive(time, timeout, withoutCalls);
  }

  /** Returns a copy with or without pings on connections without calls. */
  public Keepalive withoutCalls(boolean withoutCalls) {
    return new Keepalive(time, timeout, withoutCalls);
  }

  /**
   * Returns the shortest time between pings that a server permits: a little less, as timers may be
   * early.
   */
  Duration permitted() {
    return time.minus(time.dividedBy(5));
  }

  /**
   * Returns the status of a call, with an explanation if the server complained of too many pings.
   */
  static Status explained(Status status) {
    String text = status.getDescription();
    return text != null && text.contains("too_many_pings")
        ? status.augmentDescription(
            "the channel's keepalive pings more often than the server permits"
                + " (expected: the server's own keepalive, or a longer time without withoutCalls)")
        : status;
  }
}
