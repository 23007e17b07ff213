package dev.mullion.rpc;

import dev.mullion.net.base.Check;
import io.grpc.Status;
import java.time.Duration;

/**
 * How a connection is found to be dead when nothing comes on it, as one value for servers and
 * clients.
 *
 * <pre>{@code
 * Keepalive keepalive = Keepalive.defaults().time(Duration.ofSeconds(20)).withoutCalls(true);
 * }</pre>
 *
 * <p>Both sides ping after {@code time} without a byte from the other, and give a connection up
 * when {@code timeout} passes without an answer. A server closes the connection of a client that
 * pings more often than it permits, with {@code ENHANCE_YOUR_CALM}: one with this same value
 * permits what its clients do. By default that is a ping after 60 seconds, an answer within 20, and
 * none on connections without calls.
 *
 * @param time after which time without a byte there is a ping; at least 10 seconds, since gRPC
 *     would take that instead
 * @param timeout how long an answer may take; at least 10 ms, for the same reason
 * @param withoutCalls whether connections without calls are watched too
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

  /** Returns this with another time. */
  public Keepalive time(Duration time) {
    return new Keepalive(time, timeout, withoutCalls);
  }

  /** Returns this with another timeout. */
  public Keepalive timeout(Duration timeout) {
    return new Keepalive(time, timeout, withoutCalls);
  }

  /** Returns this with or without pings on connections without calls. */
  public Keepalive withoutCalls(boolean withoutCalls) {
    return new Keepalive(time, timeout, withoutCalls);
  }

  /**
   * Returns how often a server lets clients ping: a little more often, for timers that are early.
   */
  Duration permitted() {
    return time.minus(time.dividedBy(5));
  }

  /** Returns the status of a call, with the way out if the server found the pings too many. */
  static Status explained(Status status) {
    String text = status.getDescription();
    return text != null && text.contains("too_many_pings")
        ? status.augmentDescription(
            "the channel's keepalive pings more often than the server permits"
                + " (expected: the server's own keepalive, or a longer time without withoutCalls)")
        : status;
  }
}
