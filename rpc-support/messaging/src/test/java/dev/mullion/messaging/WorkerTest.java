package dev.mullion.messaging;

import static dev.mullion.messaging.Receiving.await;
import static dev.mullion.messaging.Receiving.checked;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.engine.HandlerLostException;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Settlement;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class WorkerTest {
  private static final Outcome ACKNOWLEDGE = new Outcome.Acknowledge();
  private static final Outcome UNSTARTED = new Outcome.GiveBack(false);
  private static final WorkQueue<String> QUEUE = WorkQueue.builder("q", Codecs.utf8())
      .redelivery(new Redelivery(3, Duration.ofMillis(100), 2, Duration.ofSeconds(10)))
      .handlerTimeout(Duration.ofSeconds(30))
      .build();

  private final Receiving receiving = new Receiving();
  private final CountDownLatch gate = new CountDownLatch(1);
  private final List<String> handled = new CopyOnWriteArrayList<>();

  @AfterEach
  void close() {
    gate.countDown();
    receiving.close();
  }

  private ScriptedSource source() {
    return receiving.source("q");
  }

  private Subscription pull(Handler<String> handler) throws MessagingException {
    return receiving.subscriptions.worker(QUEUE).start(handler);
  }

  private static void awaitOutcome(ScriptedDelivery delivery, Outcome outcome) {
    await("an outcome of " + delivery, () -> !delivery.outcomes.isEmpty());
    assertThat(delivery.outcomes).containsExactly(outcome);
  }

  private static CompletionStage<Settlement> late(CompletableFuture<Settlement> answer) {
    return answer.minimalCompletionStage();
  }

  @Test
  void returningAcknowledges() throws Exception {
    Subscription worker = pull(delivery -> handled.add(delivery.payload()));
    List<ScriptedDelivery> pushed = source().push("a", "b", "c");
    pushed.forEach(each -> awaitOutcome(each, ACKNOWLEDGE));
    assertThat(handled).containsExactly("a", "b", "c");
    assertThat(pushed).allMatch(each -> each.begins.get() == 1);
    assertThat(checked(worker).acknowledged()).isEqualTo(3);
    assertThat(receiving.engine.prepared).hasSize(1);
  }

  @Test
  void throwingRedeliversWithAGrowingDelay() throws Exception {
    Subscription worker = pull(delivery -> {
      throw new IllegalStateException("boom " + delivery.deliveryCount());
    });
    ScriptedDelivery first = source().push("a").get(0);
    ScriptedDelivery second = source().push(ScriptedDelivery.of("q", "a").failures(1));
    awaitOutcome(first, new Outcome.Redeliver(Duration.ofMillis(100), "boom 1"));
    awaitOutcome(second, new Outcome.Redeliver(Duration.ofMillis(200), "boom 2"));
    await("the listener", () -> receiving.events.failed.size() == 2);
    assertThat(receiving.events.failed).containsExactly("q boom 1", "q boom 2");
    assertThat(checked(worker).failed()).isEqualTo(2);
  }

  @Test
  void lastFailureIsBuriedAndTold() throws Exception {
    Subscription worker = pull(delivery -> {
      handled.add(delivery.deliveryCount() + " " + delivery.isLast());
      throw new LinkageError("boom");
    });
    ScriptedDelivery last = source().push(ScriptedDelivery.of("q", "a").failures(2));
    awaitOutcome(last, new Outcome.Bury(DeadLetter.Reason.DELIVERY_LIMIT, "boom"));
    assertThat(handled).containsExactly("3 true");
    await("the listener", () -> receiving.events.deadLetters.size() == 1);
    DeadLetter letter = receiving.events.deadLetters.get(0);
    assertThat(letter)
        .isEqualTo(new DeadLetter(
            last.message,
            "q",
            DeadLetter.Reason.DELIVERY_LIMIT,
            "boom",
            3,
            Instant.ofEpochMilli(receiving.engine.clock.currentTimeMillis())));
    assertThat(checked(worker).failed()).isOne();
    assertThat(worker.counters().deadLettered()).isOne();
  }

  @Test
  void deliveryAboveTheLimitIsBuriedWithoutACall() throws Exception {
    Subscription worker = pull(delivery -> handled.add(delivery.payload()));
    ScriptedDelivery above =
        source().push(ScriptedDelivery.of("q", "a").failures(1).losses(2));
    awaitOutcome(
        above,
        new Outcome.Bury(
            DeadLetter.Reason.DELIVERY_LIMIT,
            "delivery 4 exceeds maxDeliveries 3: 1 failed, 2 ended with their process or"
                + " connection"));
    assertThat(handled).isEmpty();
    assertThat(above.begins).hasValue(0);
    await("its counts", () -> worker.counters().deadLettered() == 1); // after the outcome
    assertThat(checked(worker).buried()).isOne();
  }

  @Test
  void rejectedUndecodableAndLostMessages() throws Exception {
    Subscription worker = pull(delivery -> {
      switch (delivery.payload()) {
        case "rejected" -> throw new RejectedMessageException("no such customer");
        case "undecodable" -> throw new UndecodableMessageException("half a document");
        case "lost" -> throw new HandlerLostException("worker is gone", true);
        default -> throw new AssertionError(delivery.payload());
      }
    });
    List<ScriptedDelivery> pushed = source().push("rejected", "undecodable", "lost");
    ScriptedDelivery malformed =
        source().push(new ScriptedDelivery("q", Message.of(new byte[] {(byte) 0xFF})));
    awaitOutcome(pushed.get(0), new Outcome.Bury(DeadLetter.Reason.REJECTED, "no such customer"));
    awaitOutcome(pushed.get(1), new Outcome.Bury(DeadLetter.Reason.UNDECODABLE, "half a document"));
    awaitOutcome(pushed.get(2), new Outcome.GiveBack(true));
    await("an outcome", () -> malformed.outcomes.size() == 1);
    assertThat(malformed.outcomes.get(0))
        .isInstanceOfSatisfying(
            Outcome.Bury.class,
            bury -> assertThat(bury.reason()).isEqualTo(DeadLetter.Reason.UNDECODABLE));
    assertThat(malformed.begins).hasValue(0);
    SubscriptionCounters counters = checked(worker);
    assertThat(counters.rejected()).isOne();
    assertThat(counters.undecodable()).isEqualTo(2);
    assertThat(counters.givenBack()).isOne();
    assertThat(counters.deadLettered()).isEqualTo(3);
  }

  @Test
  void codecThatThrowsAnErrorMakesADeadLetter() throws Exception {
    MessageCodec<String> codec = new MessageCodec<>() {
      @Override
      public byte[] encode(String payload) {
        throw new AssertionError();
      }

      @Override
      public String decode(byte[] payload, String contentType) {
        throw new StackOverflowError("too deep");
      }

      @Override
      public String contentType() {
        return "text/plain";
      }
    };
    receiving.subscriptions.worker(WorkQueue.of("q", codec)).start(each -> handled.add("never"));
    ScriptedDelivery pushed = source().push("a").get(0);
    awaitOutcome(pushed, new Outcome.Bury(DeadLetter.Reason.UNDECODABLE, "too deep"));
    assertThat(handled).isEmpty();
  }

  @Test
  void fetchesNoMoreThanPrefetchAndWhatRuns() throws Exception {
    AtomicInteger running = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    Subscription worker = receiving
        .subscriptions
        .worker(QUEUE)
        .concurrency(3)
        .prefetch(5)
        .start(delivery -> {
          most.accumulateAndGet(running.incrementAndGet(), Math::max);
          gate.await();
          running.decrementAndGet();
        });
    assertThat(source().settings.maxInFlight()).isEqualTo(8);
    for (int i = 0; i < 20; i++) {
      source().push("m" + i);
    }
    await("three handlers", () -> running.get() == 3);
    assertThat(source().waiting()).isEqualTo(12);
    assertThat(checked(worker).inFlight()).isEqualTo(3);
    assertThat(worker.counters().buffered()).isEqualTo(5);
    assertThat(receiving.subscriptions.handlersRunning()).isEqualTo(3);
    gate.countDown();
    await("all", () -> checked(worker).acknowledged() == 20);
    assertThat(most).hasValue(3);
    await("all credit", () -> source().credit() >= 6);
  }

  @Test
  void withoutPrefetchNothingIsFetchedAhead() throws Exception {
    receiving.subscriptions.worker(QUEUE).prefetch(0).start(delivery -> gate.await());
    source().push("a", "b");
    assertThat(source().waiting()).isOne();
    gate.countDown();
    await("credit for one", () -> source().credit() == 1 && source().waiting() == 0);
  }

  @Test
  void asyncHandlersSettleWhenTheirStagesComplete() throws Exception {
    Map<String, CompletableFuture<String>> stages = new ConcurrentHashMap<>();
    Subscription worker = receiving
        .subscriptions
        .worker(QUEUE)
        .concurrency(2)
        .startAsync(delivery -> {
          assertThat(AsyncScope.active()).isTrue();
          CompletableFuture<String> stage = new CompletableFuture<>();
          stages.put(delivery.payload(), stage);
          return stage;
        });
    List<ScriptedDelivery> pushed = source().push("a", "b", "c");
    await("two stages", () -> stages.size() == 2);
    assertThat(checked(worker).inFlight()).isEqualTo(2);
    requireNonNull(stages.get("b")).completeExceptionally(new IllegalStateException("boom"));
    await("three stages", () -> stages.size() == 3);
    requireNonNull(stages.get("a")).complete("done");
    requireNonNull(stages.get("c")).complete("done");
    await("the end", () -> checked(worker).inFlight() == 0);
    assertThat(pushed.get(0).outcomes).containsExactly(ACKNOWLEDGE);
    assertThat(pushed.get(1).outcomes)
        .containsExactly(new Outcome.Redeliver(Duration.ofMillis(100), "boom"));
    assertThat(pushed.get(2).outcomes).containsExactly(ACKNOWLEDGE);
    assertThat(AsyncScope.active()).isFalse();
  }

  @Test
  @SuppressWarnings("NullAway") // what a user may do all the same
  void asyncHandlerThatReturnsNoStageHasFailed() throws Exception {
    receiving.subscriptions.worker(QUEUE).startAsync(delivery -> {
      if (delivery.payload().equals("b")) {
        throw new IllegalStateException("boom");
      }
      return null;
    });
    List<ScriptedDelivery> pushed = source().push("a", "b");
    awaitOutcome(
        pushed.get(0),
        new Outcome.Redeliver(Duration.ofMillis(100), "the handler returned no stage"));
    awaitOutcome(pushed.get(1), new Outcome.Redeliver(Duration.ofMillis(100), "boom"));
  }

  @Test
  void leaseLostIsCounted() throws Exception {
    Subscription worker = pull(delivery -> handled.add(delivery.payload()));
    source().push(ScriptedDelivery.of("q", "a").answer(Settlement.LEASE_LOST));
    await("the count", () -> worker.counters().leasesLost() == 1);
    assertThat(checked(worker).acknowledged()).isOne();
  }

  @Test
  void engineThatThrowsLosesNoSlot() throws Exception {
    Subscription worker = pull(delivery -> handled.add(delivery.payload()));
    ScriptedDelivery bad = ScriptedDelivery.of("q", "a");
    bad.answers = outcome -> {
      throw new IllegalStateException("broken engine");
    };
    source().push(bad);
    source().push("b");
    await("the second", () -> checked(worker).acknowledged() == 2);
    source().failRequests(2);
    source().push("c", "d", "e");
    await("all but what waits for credit", () -> checked(worker).acknowledged() >= 3);
    await("the rest", () -> {
      receiving.engine.clock.advance(Duration.ofMillis(100));
      return checked(worker).acknowledged() == 5;
    });
  }

  @Test
  void pausedWorkerStartsNothing() throws Exception {
    Subscription worker = pull(delivery -> handled.add(delivery.payload()));
    worker.pause();
    source().push("a", "b", "c");
    await("the buffer", () -> checked(worker).buffered() == 2);
    receiving.engine.clock.advance(Duration.ofHours(1));
    assertThat(handled).isEmpty();
    assertThat(worker.isPaused()).isTrue();
    worker.resume();
    await("all", () -> checked(worker).acknowledged() == 3);
    assertThat(worker.isPaused()).isFalse();
  }

  @Test
  void pauseHoldsBackWhatWasTakenTogether() throws Exception {
    Subscription worker = receiving.subscriptions.worker(QUEUE).prefetch(10).start(delivery -> {
      handled.add(delivery.payload());
      gate.await();
    });
    worker.pause();
    source().push("a", "b", "c", "d", "e", "f");
    worker.resume(); // the runner takes five of them at once
    await("the first", () -> handled.size() == 1);
    assertThat(checked(worker).buffered()).isEqualTo(5);
    worker.pause();
    gate.countDown();
    await("its end", () -> checked(worker).acknowledged() == 1);
    assertThat(handled).containsExactly("a");
    assertThat(checked(worker).buffered()).isEqualTo(5);
    worker.resume();
    await("all", () -> checked(worker).acknowledged() == 6);
    assertThat(handled).containsExactly("a", "b", "c", "d", "e", "f");
  }

  @Test
  void resumeStartsAllSlots() throws Exception {
    AtomicInteger running = new AtomicInteger();
    Subscription worker = receiving.subscriptions.worker(QUEUE).concurrency(4).start(delivery -> {
      running.incrementAndGet();
      gate.await();
    });
    worker.pause();
    source().push("a", "b", "c", "d", "e");
    worker.resume();
    await("four at once", () -> running.get() == 4);
  }

  @Test
  void unsettledOutcomesHoldBackCredit() throws Exception {
    CompletableFuture<Settlement> answer = new CompletableFuture<>();
    Subscription worker = receiving
        .subscriptions
        .worker(QUEUE)
        .prefetch(1000)
        .start(delivery -> handled.add(delivery.payload()));
    for (int i = 0; i < 5000; i++) {
      ScriptedDelivery delivery = ScriptedDelivery.of("q", "m");
      delivery.answers = outcome -> late(answer);
      source().push(delivery);
    }
    await(
        "as many as allowed", () -> source().credit() == 0 && worker.counters().buffered() == 0);
    assertThat(checked(worker).acknowledged())
        .isBetween((long) Inbox.MAX_UNSETTLED, Inbox.MAX_UNSETTLED + 1001L);
    answer.complete(Settlement.APPLIED);
    await("all", () -> checked(worker).acknowledged() == 5000);
  }

  @Test
  void readyFollowsTheSource() throws Exception {
    Subscription worker = pull(delivery -> {});
    CompletableFuture<Void> ready = worker.ready().toCompletableFuture();
    assertThat(ready).isNotDone();
    source().ready.complete(null);
    await("ready", ready::isDone);
    assertThat(worker.address()).isEqualTo("q");
  }

  @Test
  void sourceThatEndsGivesBack() throws Exception {
    Subscription worker = pull(delivery -> gate.await());
    List<ScriptedDelivery> pushed = source().push("a", "b");
    await("both", () -> checked(worker).buffered() == 1 && worker.counters().inFlight() == 1);
    source().sink.failed(new MissingAddressException("queue was deleted"));
    awaitOutcome(pushed.get(1), UNSTARTED);
    gate.countDown();
    awaitOutcome(pushed.get(0), ACKNOWLEDGE);
    assertThatThrownBy(() -> worker.ready().toCompletableFuture().join())
        .hasRootCauseMessage("queue was deleted");
  }
}
