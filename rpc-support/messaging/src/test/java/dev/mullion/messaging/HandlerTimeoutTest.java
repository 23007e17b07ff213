package dev.mullion.messaging;

import static dev.mullion.messaging.Receiving.await;
import static dev.mullion.messaging.Receiving.checked;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.Guarantees.Capacity;
import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.Guarantees.Wildcards;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Outcome.Acknowledge;
import dev.mullion.messaging.engine.Outcome.Bury;
import dev.mullion.messaging.engine.Outcome.Redeliver;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HandlerTimeoutTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(30);
  private static final WorkQueue<String> QUEUE = WorkQueue.builder("q", Codecs.utf8())
      .redelivery(Redelivery.constant(2, Duration.ofMillis(100)))
      .handlerTimeout(TIMEOUT)
      .build();

  private final Receiving receiving = new Receiving();
  private final ManualClock clock = receiving.engine.clock;
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

  private WorkerBuilder<String> worker() {
    return receiving.subscriptions.worker(QUEUE);
  }

  private static Outcome outcome(ScriptedDelivery delivery) {
    await("an outcome", () -> !delivery.outcomes.isEmpty());
    assertThat(delivery.outcomes).hasSize(1);
    return delivery.outcomes.get(0);
  }

  /** The only timer was gone when there was no thread to leave its own for. */
  @Test
  void timeEndsAlthoughThereWasNoThreadAtFirst() throws Exception {
    worker().start(delivery -> gate.await());
    ScriptedDelivery delivery = source().push("a").get(0);
    await("the handler", () -> delivery.begins.get() == 1);
    receiving.failingCallbacks.set(2);
    clock.advance(TIMEOUT);
    clock.advance(Duration.ofSeconds(1));
    assertThat(delivery.outcomes).isEmpty();
    clock.advance(Duration.ofSeconds(1));
    assertThat(outcome(delivery)).isInstanceOf(Redeliver.class);
  }

  /** Waits, whatever interrupts it. */
  private void waitStubbornly() {
    boolean open = false;
    while (!open) {
      try {
        gate.await();
        open = true;
      } catch (InterruptedException e) {
        handled.add("interrupted");
      }
    }
  }

  @Test
  void redeliversInterruptsAndKeepsTheSlot() throws Exception {
    Subscription worker = worker().start(delivery -> {
      if (delivery.payload().equals("slow")) {
        waitStubbornly();
      }
      handled.add(delivery.payload());
      assertThat(Thread.currentThread().isInterrupted()).isFalse();
    });
    ScriptedDelivery slow = source().push("slow").get(0);
    ScriptedDelivery next = source().push("next").get(0);
    await("the handler", () -> slow.begins.get() == 1);
    clock.advance(TIMEOUT.minusMillis(1));
    assertThat(slow.outcomes).isEmpty();
    clock.advance(Duration.ofMillis(1));
    assertThat(outcome(slow))
        .isEqualTo(new Redeliver(
            Duration.ofMillis(100),
            "handler did not return within handlerTimeout PT30S (q, message " + slow.message.id()
                + ", delivery 1)"));
    await("the interrupt", () -> handled.contains("interrupted"));
    assertThat(checked(worker).timedOut()).isOne();
    assertThat(worker.counters().inFlight()).isZero();
    assertThat(next.outcomes).isEmpty();
    assertThat(receiving.subscriptions.handlersRunning()).isOne();
    gate.countDown();
    assertThat(outcome(next)).isEqualTo(new Acknowledge());
    assertThat(handled).containsExactly("interrupted", "slow", "next");
    SubscriptionCounters counters = checked(worker);
    assertThat(counters.lateReturns()).isOne();
    assertThat(counters.acknowledged()).isOne();
    assertThat(slow.outcomes).hasSize(1);
    await("the listener", () -> receiving.events.failed.size() == 1);
  }

  @Test
  void lastDeliveryThatTimesOutIsBuried() throws Exception {
    Subscription worker = worker().start(delivery -> gate.await());
    ScriptedDelivery last = source().push(ScriptedDelivery.of("q", "a").failures(1));
    await("the handler", () -> last.begins.get() == 1);
    clock.advance(TIMEOUT);
    assertThat(outcome(last)).isInstanceOfSatisfying(Bury.class, bury -> {
      assertThat(bury.reason()).isEqualTo(DeadLetter.Reason.DELIVERY_LIMIT);
      assertThat(bury.error()).startsWith("handler did not return within handlerTimeout PT30S");
    });
    await("its interrupted return", () -> worker.counters().lateReturns() == 1);
    await("its burial", () -> worker.counters().deadLettered() == 1);
    assertThat(checked(worker).failed()).isZero();
  }

  @Test
  void asyncHandlerKeepsItsSlotUntilItsStageCompletes() throws Exception {
    CompletableFuture<Void> stage = new CompletableFuture<>();
    Subscription worker =
        worker().startAsync(delivery -> delivery.payload().equals("slow") ? stage : done());
    ScriptedDelivery slow = source().push("slow").get(0);
    ScriptedDelivery next = source().push("next").get(0);
    await("the handler", () -> slow.begins.get() == 1);
    clock.advance(TIMEOUT);
    assertThat(outcome(slow)).isInstanceOf(Redeliver.class);
    assertThat(next.begins).hasValue(0);
    stage.complete(null);
    assertThat(outcome(next)).isEqualTo(new Acknowledge());
    assertThat(slow.outcomes).hasSize(1);
    await("the count", () -> checked(worker).lateReturns() == 1);
  }

  private static CompletableFuture<Void> done() {
    return CompletableFuture.completedFuture(null);
  }

  @Test
  void timeBeginsWithTheHandler() throws Exception {
    Subscription worker = worker().start(delivery -> gate.await());
    List<ScriptedDelivery> pushed = source().push("a", "b");
    await("both", () -> worker.counters().buffered() == 1);
    clock.advance(TIMEOUT.minusSeconds(1));
    gate.countDown();
    pushed.forEach(each -> assertThat(outcome(each)).isEqualTo(new Acknowledge()));
    worker.pause();
    ScriptedDelivery paused = source().push("c").get(0);
    await("the buffer", () -> worker.counters().buffered() == 1);
    clock.advance(Duration.ofDays(1));
    worker.resume();
    assertThat(outcome(paused)).isEqualTo(new Acknowledge());
    assertThat(checked(worker).timedOut()).isZero();
  }

  @Test
  void eachOfSeveralHasItsOwnTime() throws Exception {
    AtomicInteger running = new AtomicInteger();
    worker().concurrency(3).startAsync(delivery -> {
      running.incrementAndGet();
      return new CompletableFuture<>();
    });
    ScriptedDelivery first = source().push("a").get(0);
    await("one", () -> running.get() == 1);
    clock.advance(Duration.ofSeconds(10));
    ScriptedDelivery second = source().push("b").get(0);
    await("two", () -> running.get() == 2 && second.begins.get() == 1);
    await("the deadline", () -> first.begins.get() == 1);
    clock.advance(Duration.ofSeconds(20));
    assertThat(outcome(first)).isInstanceOf(Redeliver.class);
    assertThat(second.outcomes).isEmpty();
    clock.advance(Duration.ofSeconds(10));
    assertThat(outcome(second)).isInstanceOf(Redeliver.class);
  }

  @Test
  void extendSetsTheTimeAnew() throws Exception {
    List<Delivery<String>> seen = new CopyOnWriteArrayList<>();
    Subscription worker = worker().start(delivery -> {
      seen.add(delivery);
      gate.await();
    });
    ScriptedDelivery pushed = source().push("a").get(0);
    await("the handler", () -> !seen.isEmpty());
    Delivery<String> delivery = seen.get(0);
    Instant start = Instant.ofEpochMilli(clock.currentTimeMillis());
    assertThat(delivery.deadline()).isEqualTo(start.plus(TIMEOUT));
    clock.advance(Duration.ofSeconds(20));
    assertThat(delivery.extend(Duration.ofSeconds(60)).toCompletableFuture()).isCompleted();
    assertThat(delivery.deadline()).isEqualTo(start.plusSeconds(80));
    assertThat(pushed.extensions).containsExactly(Duration.ofSeconds(60));
    clock.advance(Duration.ofSeconds(59));
    assertThat(pushed.outcomes).isEmpty();
    assertThat(delivery.extend(Duration.ofSeconds(5)).toCompletableFuture()).isCompleted();
    clock.advance(Duration.ofSeconds(5));
    assertThat(outcome(pushed)).isInstanceOf(Redeliver.class);
    assertThatThrownBy(() -> delivery.extend(TIMEOUT).toCompletableFuture().join())
        .hasRootCauseInstanceOf(IllegalStateException.class)
        .hasMessageContaining("extend: the time for Message " + pushed.message.id());
    assertThat(checked(worker).timedOut()).isOne();
  }

  @Test
  void extendFailsWhereTheEngineCannot() throws Exception {
    receiving.engine.rows = List.of(ScriptedEngine.row(
        Pattern.PUSH_PULL,
        Capacity.HARD,
        EnumSet.allOf(Overflow.class),
        Wildcards.ALL,
        true,
        false));
    List<Throwable> errors = new CopyOnWriteArrayList<>();
    worker()
        .start(delivery -> delivery.extend(TIMEOUT).whenComplete((done, error) -> {
          errors.add(error);
        }));
    source().push("a");
    await("the error", () -> !errors.isEmpty());
    assertThat(errors.get(0))
        .isInstanceOf(UnsupportedSettingException.class)
        .hasMessageContaining("scripted cannot extend");
  }

  @Test
  void endlessTimeoutNeverPasses() throws Exception {
    WorkQueue<String> endless =
        QUEUE.toBuilder().handlerTimeout(Duration.ofSeconds(Long.MAX_VALUE)).build();
    List<Instant> deadlines = new CopyOnWriteArrayList<>();
    receiving.subscriptions.worker(endless).start(delivery -> {
      deadlines.add(delivery.deadline());
      gate.await();
    });
    ScriptedDelivery pushed = source().push("a").get(0);
    await("the handler", () -> !deadlines.isEmpty());
    clock.advance(Duration.ofDays(10_000));
    assertThat(pushed.outcomes).isEmpty();
    assertThat(deadlines.get(0)).isAfter(Instant.parse("9999-01-01T00:00:00Z"));
  }
}
