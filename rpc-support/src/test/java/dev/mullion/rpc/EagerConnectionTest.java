package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ConnectivityState;
import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.net.ConnectException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class EagerConnectionTest {
  /** It has failed, and when it is asked why, it tries again and has no answer. */
  private static final class TryingAgain extends ManagedChannel {
    private final AtomicBoolean asked = new AtomicBoolean();
    private long firstAsked;
    private long latestEnd;

    @Override
    public ConnectivityState getState(boolean requestConnection) {
      if (!asked.getAndSet(true)) {
        firstAsked = System.nanoTime();
        return ConnectivityState.CONNECTING;
      }
      return ConnectivityState.TRANSIENT_FAILURE;
    }

    @Override
    public void notifyWhenStateChanged(ConnectivityState source, Runnable callback) {
      callback.run();
    }

    @Override
    public <Q, R> ClientCall<Q, R> newCall(MethodDescriptor<Q, R> method, CallOptions options) {
      Deadline deadline = options.getDeadline();
      assertThat(deadline).isNotNull();
      latestEnd = System.nanoTime() + deadline.timeRemaining(TimeUnit.NANOSECONDS);
      return new ClientCall<>() {
        @Override
        public void start(Listener<R> listener, Metadata headers) {
          listener.onClose(Status.DEADLINE_EXCEEDED, new Metadata());
        }

        @Override
        public void request(int messages) {}

        @Override
        public void cancel(@Nullable String message, @Nullable Throwable cause) {}

        @Override
        public void halfClose() {}

        @Override
        public void sendMessage(Q message) {}
      };
    }

    @Override
    public ManagedChannel shutdown() {
      return this;
    }

    @Override
    public boolean isShutdown() {
      return false;
    }

    @Override
    public boolean isTerminated() {
      return false;
    }

    @Override
    public ManagedChannel shutdownNow() {
      return this;
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) {
      return true;
    }

    @Override
    public String authority() {
      return "nobody";
    }
  }

  /** To ask why it has failed took as long again. */
  @Test
  void connectTimeoutIsThatOfAllTogether() {
    Duration timeout = Duration.ofMinutes(1);
    TryingAgain channel = new TryingAgain();

    assertThatExceptionOfType(ConnectException.class)
        .isThrownBy(
            new EagerConnection(channel, new ConnectFailures(null), "nobody", timeout)::await)
        .withMessage("cannot connect to nobody: no answer within connectTimeout PT1M");

    assertThat(channel.latestEnd - channel.firstAsked)
        .isPositive()
        .isLessThanOrEqualTo(timeout.toNanos());
  }
}
