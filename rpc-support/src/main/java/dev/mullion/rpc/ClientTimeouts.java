package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import dev.mullion.net.base.Check;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** The timeouts of a channel's calls, by method or service, and by default. */
final class ClientTimeouts {
  private final MethodTimeouts methods;
  private final Duration ofUnaryCalls;
  private volatile @Nullable Duration defaultTimeout;

  /**
   * Creates the timeouts of a channel.
   *
   * @param defaultTimeout applies to calls of all kinds; null if it is not set
   * @param ofUnaryCalls applies to unary calls if no other timeout is set
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

  /** Returns the time limit of a call without a deadline of its own, or null. */
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
   * A time limit that the channel sets for a call.
   *
   * @param unset whether this is the built-in default. It is not sent then, because a server would
   *     treat it as a requested deadline, and ignore its own {@code defaultTimeout}
   */
  record Limit(String setting, Duration timeout, boolean unset, Deadline deadline) {
    /**
     * Puts the setting before gRPC's description; a server's own deadline may have been earlier.
     */
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
