package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import dev.mullion.net.base.Check;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** How long the calls of a channel may take, by method or service, and by default. */
final class ClientTimeouts {
  private final MethodTimeouts methods;
  private final Duration ofUnaryCalls;
  private volatile @Nullable Duration defaultTimeout;

  /**
   * Makes those of a channel.
   *
   * @param defaultTimeout of calls of all kinds; null if nobody has set it
   * @param ofUnaryCalls counts for unary calls if nobody has set another
   */
  ClientTimeouts(MethodTimeouts methods, @Nullable Duration defaultTimeout, Duration ofUnaryCalls) {
    this.methods = methods;
    this.defaultTimeout = defaultTimeout;
    this.ofUnaryCalls = ofUnaryCalls;
  }

  void set(String name, Duration timeout) {
    methods.put(name, timeout);
  }

  void setDefault(Duration timeout) {
    defaultTimeout = timeout;
  }

  /** Returns what limits the time of a call that has no deadline of its own, or null. */
  @Nullable
  Limit limit(MethodDescriptor<?, ?> method) {
    Duration own = methods.find(method);
    Duration set = defaultTimeout;
    boolean unset = own == null && set == null;
    if (unset && Context.current().getDeadline() != null) {
      return null;
    }
    Duration timeout = own == null ? MethodTimeouts.byDefault(set, method, ofUnaryCalls) : own;
    return timeout.isZero()
        ? null
        : new Limit(
            own == null ? "defaultTimeout" : "timeout",
            timeout,
            unset,
            Deadline.after(Check.nanos(timeout), NANOSECONDS));
  }

  /**
   * The time that the channel gives a call.
   *
   * @param unset whether nobody has set it: then it is not sent, or a server would take it for a
   *     deadline that somebody wants, and its own {@code defaultTimeout} would never count
   */
  record Limit(String setting, Duration timeout, boolean unset, Deadline deadline) {
    /** Names the setting before what gRPC says; a server's own deadline may have been earlier. */
    Status explained(Status status) {
      return status.getCode() == Status.Code.DEADLINE_EXCEEDED && deadline.isExpired() && !unset
          ? status.withDescription(
              text() + (status.getDescription() == null ? "" : ": " + status.getDescription()))
          : status;
    }

    String text() {
      return "call took longer than the channel's "
          + setting
          + " "
          + timeout
          + (unset
              ? ", the default of unary calls (expected: defaultTimeout of the channel,"
                  + " or a deadline of the call)"
              : "");
    }
  }
}
