package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import dev.mullion.net.base.Check;
import dev.mullion.net.base.DaemonThreads;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import org.jspecify.annotations.Nullable;

/**
 * Gives each call its deadline when it starts, and says in plain words why one has failed. It comes
 * after the application's interceptors, so that what they set counts before all defaults.
 */
final class ClientGuard implements ClientInterceptor {
  /**
   * Cancels the calls that are late. Not the common pool: all of its threads may wait for just
   * these calls.
   */
  private static final Executor LATE = late();

  private final MethodTimeouts timeouts;
  private final boolean waitForReady;
  private final @Nullable String compression;
  private final MessageLimits limits;
  private final Duration ofUnaryCalls;
  final ConnectFailures failures;
  private volatile @Nullable Duration defaultTimeout;

  ClientGuard(
      @Nullable Duration defaultTimeout,
      Duration ofUnaryCalls,
      MethodTimeouts timeouts,
      boolean waitForReady,
      @Nullable String compression,
      MessageLimits limits,
      ConnectFailures failures) {
    this.ofUnaryCalls = ofUnaryCalls;
    this.timeouts = timeouts;
    this.waitForReady = waitForReady;
    this.compression = compression;
    this.limits = limits;
    this.failures = failures;
    this.defaultTimeout = defaultTimeout;
  }

  private static Executor late() {
    ThreadPoolExecutor threads = new ThreadPoolExecutor(
        8, 8, 5, SECONDS, new LinkedBlockingQueue<>(), DaemonThreads.named("mullion-rpc-late"));
    threads.allowCoreThreadTimeOut(true);
    return threads;
  }

  void timeout(String name, Duration timeout) {
    timeouts.put(name, timeout);
  }

  void defaultTimeout(Duration timeout) {
    defaultTimeout = timeout;
  }

  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(
      MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    if (options.getOption(EagerConnection.PROBE)) {
      return next.newCall(method, options);
    }
    CallOptions own = withDefaults(options);
    Limit limit = options.getDeadline() == null ? limit(method) : null;
    return new Guarded<>(
        next.newCall(method, limit == null || limit.unset ? own : own.withDeadline(limit.deadline)),
        limit);
  }

  private CallOptions withDefaults(CallOptions given) {
    CallOptions options = waitForReady ? given.withWaitForReady() : given;
    if (compression != null && options.getCompressor() == null) {
      options = options.withCompression(compression);
    }
    return options;
  }

  /** Returns what limits the time of a call that has no deadline of its own, or null. */
  private @Nullable Limit limit(MethodDescriptor<?, ?> method) {
    Duration own = timeouts.find(method);
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
  private record Limit(String setting, Duration timeout, boolean unset, Deadline deadline) {
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

  private final class Guarded<Q, R> extends SimpleForwardingClientCall<Q, R> {
    private final @Nullable Limit limit;
    private final CompletableFuture<@Nullable Void> ended = new CompletableFuture<>();
    private volatile boolean late;

    Guarded(ClientCall<Q, R> call, @Nullable Limit limit) {
      super(call);
      this.limit = limit;
    }

    @Override
    public void start(Listener<R> listener, Metadata headers) {
      super.start(
          new SimpleForwardingClientCallListener<>(listener) {
            @Override
            public void onClose(Status status, Metadata trailers) {
              ended.complete(null);
              super.onClose(inPlainWords(status), trailers);
            }
          },
          headers);
      if (limit != null && limit.unset) {
        // On threads of their own: to cancel a call may run code of a service in this process.
        ended
            .orTimeout(limit.deadline.timeRemaining(NANOSECONDS), NANOSECONDS)
            .exceptionallyAsync(
                tooLate -> {
                  late = true;
                  cancel(limit.text(), null);
                  return null;
                },
                LATE);
      }
    }

    /** Without them rather than without an end: a cause of the user's own may throw when asked. */
    private Status inPlainWords(Status status) {
      try {
        return explained(status);
      } catch (Throwable speechless) {
        return status;
      }
    }

    private Status explained(Status status) {
      if (limit != null && late && status.getCode() == Status.Code.CANCELLED) {
        return Status.DEADLINE_EXCEEDED.withDescription(limit.text());
      }
      Status inTime = limit == null ? status : limit.explained(status);
      return Keepalive.explained(failures.reworded(limits.reworded(inTime)));
    }

    /** gRPC would throw after the cancellation. */
    @Override
    public void sendMessage(Q message) {
      if (!late) {
        super.sendMessage(message);
      }
    }

    @Override
    public void halfClose() {
      if (!late) {
        super.halfClose();
      }
    }
  }
}
