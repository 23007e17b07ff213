package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import dev.mullion.net.base.Check;
import io.grpc.CallOptions;
import io.grpc.ConnectivityState;
import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.ClientCalls;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;

/**
 * Connects a channel, and finds the reason of a failure, which the channel's state alone does not
 * have.
 */
record EagerConnection(
    ManagedChannel channel, ConnectFailures failures, String where, Duration timeout) {
  /** Marks a call whose failure is wanted unchanged and at once. */
  static final CallOptions.Key<Boolean> PROBE =
      CallOptions.Key.createWithDefault("mullion-probe", false);

  void await() throws IOException {
    Deadline deadline = Deadline.after(Check.nanos(timeout), NANOSECONDS);
    ConnectivityState state = channel.getState(true);
    while (state != ConnectivityState.READY && state != ConnectivityState.SHUTDOWN) {
      if (state == ConnectivityState.TRANSIENT_FAILURE) {
        throw failed(probe(deadline));
      }
      if (!changes(state, deadline.timeRemaining(NANOSECONDS))) {
        throw noAnswer();
      }
      state = channel.getState(true);
    }
  }

  private boolean changes(ConnectivityState state, long nanos) throws IOException {
    CountDownLatch changed = new CountDownLatch(1);
    channel.notifyWhenStateChanged(state, changed::countDown);
    try {
      return changed.await(nanos, NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while connecting to " + where);
    }
  }

  private IOException noAnswer() {
    String last = failures.last();
    return new ConnectException("cannot connect to " + where + ": "
        + (last == null ? "no answer within connectTimeout " + timeout : plain(last)));
  }

  private IOException failed(Status status) {
    if (status.getCode() == Status.Code.DEADLINE_EXCEEDED) {
      // The channel was just about to try again.
      return noAnswer();
    }
    Throwable cause = status.getCause();
    if (cause != null && cause.getCause() instanceof ConnectAttempts.NoAnswerException) {
      return noAnswer();
    }
    String reason = cause instanceof ConnectFailures.NoConnectionException failed
        ? plain(failed.explanation)
        : failures.explanation(status);
    if (reason == null) {
      reason = cause == null ? status.getDescription() : cause.getMessage();
    }
    ConnectException failure = new ConnectException("cannot connect to " + where + ": " + reason);
    failure.initCause(status.asException());
    return failure;
  }

  private static String plain(String explanation) {
    return explanation.replaceFirst("^cannot connect: ", "");
  }

  /** Makes a call on a channel that cannot connect, to get the reason from its failure. */
  private Status probe(Deadline deadline) {
    try {
      ClientCalls.blockingUnaryCall(
          channel,
          HealthGrpc.getCheckMethod(),
          CallOptions.DEFAULT.withDeadline(deadline).withOption(PROBE, true),
          HealthCheckRequest.getDefaultInstance());
      return Status.UNAVAILABLE.withDescription(
          "it became reachable only after the first attempt failed");
    } catch (StatusRuntimeException e) {
      return e.getStatus();
    }
  }
}
