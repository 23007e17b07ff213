package dev.mullion.messaging;

import static dev.mullion.messaging.Receiving.await;
import static dev.mullion.messaging.Receiving.checked;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.engine.Outcome.Acknowledge;
import dev.mullion.messaging.engine.Outcome.Bury;
import dev.mullion.messaging.engine.Outcome.Redeliver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class BatchTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(30);
  private static final WorkQueue<String> QUEUE = WorkQueue.builder("q", Codecs.utf8())
      .redelivery(Redelivery.constant(2, Duration.ofMillis(100)))
      .handlerTimeout(TIMEOUT)
      .build();

  private final Receiving receiving = new Receiving();
  private final CountDownLatch gate = new CountDownLatch(1);
  private final List<List<String>> batches = new CopyOnWriteArrayList<>();

  @AfterEach
  void close() {
    gate.countDown();
    receiving.close();
  }

  private Subscription start(int max, WorkerBuilder.BatchHandler<String> handler)
      throws MessagingException {
    Subscription worker = receiving
        .subscriptions
        .worker(QUEUE)
        .prefetch(0)
        .startBatch(max, batch -> {
          batches.add(batch.deliveries().stream().map(Delivery::payload).toList());
          handler.handle(batch);
        });
    worker.pause(); // so that a batch is what was pushed before it
    return worker;
  }

  private List<ScriptedDelivery> push(String... texts) {
    return receiving.source("q").push(texts);
  }

  private static void awaitOutcomes(List<ScriptedDelivery> pushed) {
    await("all outcomes", () -> pushed.stream().allMatch(each -> each.outcomes.size() == 1));
  }

  @Test
  void returningAcknowledgesAllButTheFailed() throws Exception {
    Subscription worker = start(10, batch -> {
      batch.fail(batch.deliveries().get(1), new IllegalStateException("boom"));
      batch.fail(batch.deliveries().get(2), new RejectedMessageException("never"));
      batch.fail(batch.deliveries().get(1), new IllegalStateException("too late"));
    });
    List<ScriptedDelivery> pushed = push("a", "b", "c", "d");
    worker.resume();
    awaitOutcomes(pushed);
    assertThat(batches).containsExactly(List.of("a", "b", "c", "d"));
    assertThat(pushed.get(0).outcomes).containsExactly(new Acknowledge());
    assertThat(pushed.get(1).outcomes)
        .containsExactly(new Redeliver(Duration.ofMillis(100), "boom"));
    assertThat(pushed.get(2).outcomes)
        .containsExactly(new Bury(DeadLetter.Reason.REJECTED, "never"));
    assertThat(pushed.get(3).outcomes).containsExactly(new Acknowledge());
    assertThat(pushed).allMatch(each -> each.begins.get() == 1);
    SubscriptionCounters counters = checked(worker);
    assertThat(counters.acknowledged()).isEqualTo(2);
    assertThat(counters.failed()).isOne();
    assertThat(counters.rejected()).isOne();
  }

  @Test
  void throwingFailsAllThatWereNotFailedBefore() throws Exception {
    Subscription worker = start(10, batch -> {
      batch.fail(batch.deliveries().get(0), new IllegalStateException("own"));
      throw new AssertionError("all");
    });
    List<ScriptedDelivery> pushed = push("a", "b");
    worker.resume();
    awaitOutcomes(pushed);
    assertThat(pushed.get(0).outcomes)
        .containsExactly(new Redeliver(Duration.ofMillis(100), "own"));
    assertThat(pushed.get(1).outcomes)
        .containsExactly(new Redeliver(Duration.ofMillis(100), "all"));
    assertThat(checked(worker).failed()).isEqualTo(2);
  }

  @Test
  void takesAtMostItsSizeAndFetchesForIt() throws Exception {
    Subscription worker = start(3, batch -> {});
    assertThat(receiving.source("q").credit()).isEqualTo(3);
    List<ScriptedDelivery> pushed = push("a", "b", "c", "d", "e", "f", "g");
    worker.resume();
    awaitOutcomes(pushed);
    assertThat(batches)
        .containsExactly(List.of("a", "b", "c"), List.of("d", "e", "f"), List.of("g"));
  }

  @Test
  void batchOfOneIsABatchToo() throws Exception {
    Subscription worker = start(1, batch -> {});
    List<ScriptedDelivery> pushed = push("a", "b");
    worker.resume();
    awaitOutcomes(pushed);
    assertThat(batches).containsExactly(List.of("a"), List.of("b"));
  }

  @Test
  void undecodableOnesAreBuriedAndTheOthersHandled() throws Exception {
    Subscription worker = start(10, batch -> {});
    List<ScriptedDelivery> pushed = new ArrayList<>(push("a"));
    ScriptedDelivery malformed =
        receiving.source("q").push(new ScriptedDelivery("q", Message.of(new byte[] {(byte) 0xC0})));
    ScriptedDelivery above =
        receiving.source("q").push(ScriptedDelivery.of("q", "above").failures(2));
    pushed.addAll(push("b"));
    pushed.add(malformed);
    pushed.add(above);
    worker.resume();
    awaitOutcomes(pushed);
    assertThat(batches).containsExactly(List.of("a", "b"));
    assertThat(malformed.begins).hasValue(0);
    SubscriptionCounters counters = checked(worker);
    assertThat(counters.undecodable()).isOne();
    assertThat(counters.buried()).isOne();
    assertThat(counters.acknowledged()).isEqualTo(2);
  }

  @Test
  void batchOfOnlyUndecodableOnesCallsNoHandler() throws Exception {
    Subscription worker = start(10, batch -> {});
    ScriptedDelivery malformed =
        receiving.source("q").push(new ScriptedDelivery("q", Message.of(new byte[] {(byte) 0xC0})));
    worker.resume();
    awaitOutcomes(List.of(malformed));
    assertThat(batches).isEmpty();
    await("the slot", () -> checked(worker).inFlight() == 0);
  }

  @Test
  void oneTimeForAllAndExtendedForAll() throws Exception {
    Subscription worker = start(10, batch -> {
      batch.deliveries().get(0).extend(Duration.ofSeconds(60));
      gate.await();
    });
    List<ScriptedDelivery> pushed = push("a", "b");
    worker.resume();
    await("the extension", () -> pushed.get(1).extensions.size() == 1);
    receiving.engine.clock.advance(Duration.ofSeconds(59));
    assertThat(pushed).allMatch(each -> each.outcomes.isEmpty());
    receiving.engine.clock.advance(Duration.ofSeconds(1));
    awaitOutcomes(pushed);
    assertThat(pushed).allMatch(each -> each.outcomes.get(0) instanceof Redeliver);
    await("the interrupted return", () -> checked(worker).lateReturns() == 1);
    assertThat(worker.counters().timedOut()).isEqualTo(2);
  }

  @Test
  void deliveryOfAnotherBatchIsRefused() throws Exception {
    List<Delivery<String>> earlier = new CopyOnWriteArrayList<>();
    Subscription worker = start(1, batch -> {
      if (!earlier.isEmpty()) {
        batch.fail(earlier.get(0), new IllegalStateException());
      }
      earlier.addAll(batch.deliveries());
    });
    List<ScriptedDelivery> pushed = push("a", "b");
    worker.resume();
    awaitOutcomes(pushed);
    assertThat(pushed.get(1).outcomes.get(0))
        .isInstanceOfSatisfying(
            Redeliver.class,
            failed -> assertThat(failed.error()).contains("(expected: one of this batch of 1)"));
  }

  @Test
  void suspectIsABatchOfItsOwn() throws Exception {
    Subscription worker = start(10, batch -> {});
    List<ScriptedDelivery> pushed = new ArrayList<>(push("a", "b"));
    pushed.add(receiving.source("q").push(ScriptedDelivery.of("q", "suspect").losses(1)));
    pushed.addAll(push("c"));
    worker.resume();
    awaitOutcomes(pushed);
    assertThat(batches).containsExactly(List.of("a", "b"), List.of("suspect"), List.of("c"));
  }
}
