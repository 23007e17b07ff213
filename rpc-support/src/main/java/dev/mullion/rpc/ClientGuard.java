package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

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
import org.jspecify.annotations.Nullable;

/** Gives each call its deadline when it starts, and says in plain words why one has failed. */
final class ClientGuard implements ClientInterceptor {
  private final MethodTimeouts timeouts;
  private final boolean waitForReady;
  private final @Nullable String compression;
  private final MessageLimits limits;
  final ConnectFailures failures;
  private volatile @Nullable Duration defaultTimeout;

  ClientGuard(
      @Nullable Duration defaultTimeout,
      MethodTimeouts timeouts,
      boolean waitForReady,
      @Nullable String compression,
      MessageLimits limits,
      ConnectFailures failures) {
    this.timeouts = timeouts;
    this.waitForReady = waitForReady;
    this.compression = compression;
    this.limits = limits;
    this.failures = failures;
    this.defaultTimeout = defaultTimeout;
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
    CallOptions own = withDefaults(options);
    Limit limit = options.getDeadline() == null ? limit(method) : null;
    return new Guarded<>(
        next.newCall(method, limit == null ? own : own.withDeadline(limit.deadline)), limit);
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
    if (own == null && set == null && Context.current().getDeadline() != null) {
      return null;
    }
    Duration timeout = own == null ? MethodTimeouts.byDefault(set, method) : own;
    return timeout.isZero()
        ? null
        : new Limit(
            own == null ? "defaultTimeout" : "timeout",
            timeout,
            Deadline.after(Check.nanos(timeout), NANOSECONDS));
  }

  /** The time that the channel gives a call. */
  private record Limit(String setting, Duration timeout, Deadline deadline) {
    /** Names the setting before what gRPC says; a server's own deadline may have been earlier. */
    Status explained(Status status) {
      return status.getCode() == Status.Code.DEADLINE_EXCEEDED && deadline.isExpired()
          ? status.withDescription("call took longer than the channel's "
              + setting
              + " "
              + timeout
              + (status.getDescription() == null ? "" : ": " + status.getDescription()))
          : status;
    }
  }

  private final class Guarded<Q, R> extends SimpleForwardingClientCall<Q, R> {
    private final @Nullable Limit limit;

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
              super.onClose(explained(status), trailers);
            }
          },
          headers);
    }

    private Status explained(Status status) {
      Status inTime = limit == null ? status : limit.explained(status);
      return Keepalive.explained(failures.reworded(limits.reworded(inTime)));
    }
  }
}
