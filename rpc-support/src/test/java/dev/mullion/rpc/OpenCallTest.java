package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * What happens to a call happens in any order: stops and timeouts do not wait for its next step.
 */
class OpenCallTest {
  private enum Step {
    ACCEPT,
    CUT,
    CUT_AGAIN,
    SIGNAL,
    ADD_CALLBACK
  }

  /** A call of gRPC that notes what it ends with. */
  private static final class Closing extends ServerCall<HelloRequest, HelloReply> {
    final List<Status> closed = new ArrayList<>();

    @Override
    public void request(int messages) {}

    @Override
    public void sendHeaders(Metadata headers) {}

    @Override
    public void sendMessage(HelloReply message) {}

    @Override
    public void close(Status status, Metadata trailers) {
      closed.add(status);
    }

    @Override
    public boolean isCancelled() {
      return false;
    }

    @Override
    public MethodDescriptor<HelloRequest, HelloReply> getMethodDescriptor() {
      return TestService.STREAM;
    }
  }

  @Test
  void stepsOfACallHaveTheSameOutcomeInAnyOrder() {
    List<List<Step>> orders = orders(List.of(Step.values()));
    assertThat(orders).hasSize(120);
    for (List<Step> order : orders) {
      takesPlace(order);
    }
  }

  private static void takesPlace(List<Step> order) {
    CallRegistry registry = TestCalls.registry(1);
    List<Status> onTheWire = new ArrayList<>();
    List<String> told = new ArrayList<>();
    OpenCall open = registry.begin("test.Service/Stream", null, onTheWire::add);
    open.watch(() -> told.add("watcher"));
    Closing call = new Closing();
    int cut = 0;
    for (Step step : order) {
      switch (step) {
        case ACCEPT -> open.accept(accepted(call, open));
        case CUT, CUT_AGAIN -> cut += open.cut(Status.UNAVAILABLE) ? 1 : 0;
        case SIGNAL -> open.signal();
        case ADD_CALLBACK -> open.whenStopping(() -> told.add("callback"));
      }
    }
    assertThat(cut).as("cut, after %s", order).isEqualTo(1);
    assertThat(open.ended()).as("ended, after %s", order).isEqualTo(Status.UNAVAILABLE);
    assertThat(call.closed).as("closed, after %s", order).containsExactly(Status.UNAVAILABLE);
    assertThat(onTheWire).as("on the wire, after %s", order).containsExactly(Status.UNAVAILABLE);
    assertThat(told).as("told, after %s", order).contains("watcher").containsOnlyOnce("callback");
    assertThat(registry.hasOpenCalls()).as("open, after %s", order).isTrue();

    open.streamClosed(Status.CANCELLED);

    assertThat(registry.hasOpenCalls()).as("open, at the end of %s", order).isFalse();
    assertThat(registry.counters.callsOpen())
        .as("counted, at the end of %s", order)
        .isZero();
    assertThat(open.cut(Status.INTERNAL)).as("cut at the end of %s", order).isFalse();
  }

  private static AcceptedCall<?, ?> accepted(Closing call, OpenCall open) {
    GuardedCall<HelloRequest, HelloReply> guarded = new GuardedCall<>(
        call, new MessageLimits(100, 100), ExceptionMapping.usual(), null, open::changed);
    return new AcceptedCall<>(guarded, null, null, null);
  }

  private static <T> List<List<T>> orders(List<T> all) {
    if (all.isEmpty()) {
      return List.of(List.of());
    }
    List<List<T>> orders = new ArrayList<>();
    for (T first : all) {
      List<T> others = new ArrayList<>(all);
      others.remove(first);
      for (List<T> rest : orders(others)) {
        List<T> order = new ArrayList<>();
        order.add(first);
        order.addAll(rest);
        orders.add(order);
      }
    }
    return orders;
  }
}
