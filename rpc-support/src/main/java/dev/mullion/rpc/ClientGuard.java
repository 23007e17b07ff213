package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import dev.mullion.net.base.DaemonThreads;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import org.jspecify.annotations.Nullable;

/**
 * Sets the deadline of each call when it starts, and explains failures in plain words. It runs
 * after the application's interceptors, so that their settings take precedence over all defaults.
 */
final class ClientGuard implements ClientInterceptor {
  /**
   * Cancels calls whose time is over. The common pool is not used, since all of its threads may be
   * waiting for these calls.
   */
  private static final Executor LATE = late();

  final ClientTimeouts timeouts;
  private final boolean waitForReady;
  private final @Nullable String compression;
  private final MessageLimits limits;
  final ConnectFailures failures;

  ClientGuard(
      ClientTimeouts timeouts,
      boolean waitForReady,
      @Nullable String compression,
      MessageLimits limits,
      ConnectFailures failures) {
    this.timeouts = timeouts;
    this.waitForReady = waitForReady;
    this.compression = compression;
    this.limits = limits;
    this.failures = failures;
  }

  private static Executor late() {
    ThreadPoolExecutor threads = new ThreadPoolExecutor(
        8, 8, 5, SECONDS, new LinkedBlockingQueue<>(), DaemonThreads.named("mullion-rpc-late"));
    threads.allowCoreThreadTimeOut(true);
    return threads;
  }

  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(
      MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    if (options.getOption(EagerConnection.PROBE)) {
      return next.newCall(method, options);
    }
    CallOptions own = withDefaults(options);
    ClientTimeouts.Limit limit = options.getDeadline() == null ? timeouts.limit(method) : null;
    return new Guarded<>(
        next.newCall(
            method, limit == null || limit.unset() ? own : own.withDeadline(limit.deadline())),
        limit);
  }

  private CallOptions withDefaults(CallOptions given) {
    CallOptions options = waitForReady ? given.withWaitForReady() : given;
    if (compression != null && options.getCompressor() == null) {
      options = options.withCompression(compression);
    }
    return options;
  }

  private final class Guarded<Q, R> extends SimpleForwardingClientCall<Q, R> {
    private final ClientTimeouts.@Nullable Limit limit;
    private final CompletableFuture<@Nullable Void> ended = new CompletableFuture<>();
    private volatile boolean late;

    Guarded(ClientCall<Q, R> call, ClientTimeouts.@Nullable Limit limit) {
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
              super.onClose(explainedIfPossible(status), trailers);
            }
          },
          headers);
      if (limit != null && limit.unset()) {
        // On separate threads, since cancelling a call may run the code of an in-process service.
        ended
            .orTimeout(limit.deadline().timeRemaining(NANOSECONDS), NANOSECONDS)
            .exceptionallyAsync(
                tooLate -> {
                  late = true;
                  cancel(limit.text(), null);
                  return null;
                },
                LATE);
      }
    }

    /** Leaves the status unchanged if this fails, since a user's own exception may throw. */
    private Status explainedIfPossible(Status status) {
      try {
        return explained(status);
      } catch (Throwable unprintable) {
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

    /** Drops the message of a cancelled call, for which gRPC would throw. */
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
