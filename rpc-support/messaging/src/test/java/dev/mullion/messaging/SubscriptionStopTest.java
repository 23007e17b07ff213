package dev.mullion.messaging;

import static dev.mullion.messaging.Receiving.await;
import static dev.mullion.messaging.Receiving.checked;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Outcome.Acknowledge;
import dev.mullion.messaging.engine.Outcome.Redeliver;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Settlement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SubscriptionStopTest {
  private static final Duration LONG = Duration.ofSeconds(20);
  private static final Outcome UNSTARTED = new Outcome.GiveBack(false);
  private static final WorkQueue<String> QUEUE = WorkQueue.builder("q", Codecs.utf8())
      .redelivery(Redelivery.constant(2, Duration.ofMillis(100)))
      .handlerTimeout(Duration.ofHours(1))
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

  private WorkerBuilder<String> worker() {
    return receiving.subscriptions.worker(QUEUE);
  }

  private CompletableFuture<StopReport> stopAside(Subscription subscription, Duration timeout) {
    return CompletableFuture.supplyAsync(() -> subscription.stop(timeout), receiving.callbacks);
  }

  private static StopReport without(Duration took, StopReport report) {
    return new StopReport(took, report.finished(), report.givenBack(), report.interrupted());
  }

  @Test
  void handlersFinishAndTheRestGoesBack() throws Exception {
    Subscription worker = worker().concurrency(2).prefetch(3).start(delivery -> gate.await());
    List<ScriptedDelivery> pushed = source().push("a", "b", "c", "d", "e", "f");
    await("two handlers", () -> worker.counters().inFlight() == 2);
    CompletableFuture<StopReport> stop = stopAside(worker, LONG);
    await("what waits", () -> worker.counters().givenBack() == 3);
    assertThat(stop).isNotDone();
    assertThat(source().cancels).hasValue(1);
    assertThat(source().closes).hasValue(0);
    gate.countDown();
    StopReport report = stop.get();
    assertThat(without(Duration.ZERO, report)).isEqualTo(new StopReport(Duration.ZERO, 2, 3, 0));
    assertThat(pushed.stream().filter(each -> each.outcomes.equals(List.of(UNSTARTED))))
        .hasSize(3);
    assertThat(pushed.stream().filter(each -> each.outcomes.isEmpty())).hasSize(1);
    SubscriptionCounters counters = checked(worker);
    assertThat(counters.acknowledged()).isEqualTo(2);
    assertThat(counters.delivered()).isEqualTo(5);
    assertThat(source().closes).hasValue(1);
    assertThat(worker.stop(LONG)).isEqualTo(report);
    worker.close();
    assertThat(source().closes).hasValue(1);
  }

  @Test
  void deliveryDuringTheStopGoesBackAtOnce() throws Exception {
    Subscription worker = worker().start(delivery -> gate.await());
    source().push("a", "b");
    await("both", () -> worker.counters().buffered() == 1);
    CompletableFuture<StopReport> stop = stopAside(worker, LONG);
    await("the stop", () -> worker.counters().givenBack() == 1);
    ScriptedDelivery late = ScriptedDelivery.of("q", "late");
    source().sink.deliver(late);
    assertThat(late.outcomes).containsExactly(UNSTARTED);
    gate.countDown();
    assertThat(without(Duration.ZERO, stop.get()))
        .isEqualTo(new StopReport(Duration.ZERO, 1, 2, 0));
    assertThat(checked(worker).delivered()).isEqualTo(3);
  }

  @Test
  void handlersAreInterruptedAtTheDeadline() throws Exception {
    CountDownLatch stubborn = new CountDownLatch(1);
    Subscription worker = worker().concurrency(3).start(delivery -> {
      if (delivery.payload().equals("stubborn")) {
        boolean open = false;
        while (!open) {
          try {
            stubborn.await();
            open = true;
          } catch (InterruptedException e) {
            handled.add("interrupted");
          }
        }
      } else {
        gate.await();
      }
    });
    List<ScriptedDelivery> pushed = source().push("a", "stubborn");
    ScriptedDelivery last = source().push(ScriptedDelivery.of("q", "last").failures(1));
    await("the handlers", () -> worker.counters().inFlight() == 3);
    CompletableFuture<StopReport> stop = stopAside(worker, LONG);
    await("the stop", () -> source().cancels.get() == 1);
    await("its end", () -> {
      receiving.engine.clock.advance(Duration.ofSeconds(1));
      return stop.isDone();
    });
    assertThat(stop.get().interrupted()).isEqualTo(3);
    assertThat(stop.get().finished()).isZero();
    for (ScriptedDelivery each : pushed) {
      assertThat(each.outcomes)
          .containsExactly(new Redeliver(
              Duration.ofMillis(100),
              "handler was interrupted, since it had not returned when its subscription stopped (q,"
                  + " message " + each.message.id() + ")"));
    }
    assertThat(last.outcomes).hasSize(1);
    assertThat(last.outcomes.get(0)).isInstanceOf(Outcome.Bury.class);
    assertThat(source().closes).hasValue(1);
    assertThat(checked(worker).failed()).isEqualTo(3);
    stubborn.countDown();
    await("the late returns", () -> worker.counters().lateReturns() == 3);
    assertThat(receiving.subscriptions.handlersRunning()).isZero();
    checked(worker);
  }

  @Test
  void aStopIsBoundedThoughTheManualClockStands() throws Exception {
    Subscription worker = worker().start(delivery -> gate.await());
    source().push("a");
    await("the handler", () -> worker.counters().inFlight() == 1);
    assertThat(worker.stop(Duration.ofMillis(50)).interrupted()).isOne();
  }

  @Test
  void aShorterSecondStopShortensTheFirst() throws Exception {
    Subscription worker = worker().start(delivery -> gate.await());
    source().push("a");
    await("the handler", () -> worker.counters().inFlight() == 1);
    CompletableFuture<StopReport> stop = stopAside(worker, Duration.ofHours(1));
    await("the stop", () -> source().cancels.get() == 1);
    assertThat(worker.stop(Duration.ofMillis(20)).interrupted()).isOne();
    assertThat(stop.get().interrupted()).isOne();
  }

  @Test
  void interruptOfTheStopperIsKeptAndEndsTheWaitForHandlers() throws Exception {
    CompletableFuture<Settlement> answer = new CompletableFuture<>();
    Subscription worker = worker().start(delivery -> gate.await());
    ScriptedDelivery delivery = ScriptedDelivery.of("q", "a");
    delivery.answers = outcome -> answer;
    delivery.settled = () -> receiving.callbacks.execute(() -> {
      handled.add("closed " + source().closes.get() + " times before the answer");
      answer.complete(Settlement.APPLIED);
    });
    source().push(delivery);
    await("the handler", () -> worker.counters().inFlight() == 1);
    Thread.currentThread().interrupt();
    assertThat(worker.stop(LONG).interrupted()).isOne();
    assertThat(Thread.interrupted()).isTrue();
    assertThat(handled).containsExactly("closed 0 times before the answer");
    assertThat(source().closes).hasValue(1);
  }

  @Test
  void stopInsideItsOwnHandlerDoesNotWaitForIt() throws Exception {
    AtomicReference<Subscription> self = new AtomicReference<>();
    AtomicReference<StopReport> report = new AtomicReference<>();
    CountDownLatch started = new CountDownLatch(1);
    CountDownLatch stopped = new CountDownLatch(1);
    self.set(worker().prefetch(5).start(delivery -> {
      started.await();
      report.set(requireNonNull(self.get()).stop(LONG));
      stopped.countDown();
      gate.await();
    }));
    List<ScriptedDelivery> pushed = source().push("a", "b", "c");
    await("all", () -> requireNonNull(self.get()).counters().buffered() == 2);
    started.countDown();
    stopped.await();
    assertThat(without(Duration.ZERO, requireNonNull(report.get())))
        .isEqualTo(new StopReport(Duration.ZERO, 1, 2, 0));
    assertThat(source().closes).hasValue(0);
    assertThat(checked(requireNonNull(self.get())).inFlight()).isOne();
    gate.countDown();
    await("the deferred close", () -> source().closes.get() == 1);
    assertThat(pushed.get(0).outcomes).containsExactly(new Acknowledge());
    assertThat(checked(requireNonNull(self.get())).acknowledged()).isOne();
  }

  @Test
  void twoHandlersThatStopEachOthersSubscriptions() throws Exception {
    WorkQueue<String> other = QUEUE;
    AtomicReference<Subscription> first = new AtomicReference<>();
    AtomicReference<Subscription> second = new AtomicReference<>();
    CountDownLatch both = new CountDownLatch(2);
    first.set(worker().start(delivery -> {
      both.countDown();
      both.await();
      requireNonNull(second.get()).stop(LONG);
    }));
    ScriptedSource firstSource = source();
    second.set(receiving.subscriptions.worker(WorkQueue.of("r", Codecs.utf8())).start(delivery -> {
      both.countDown();
      both.await();
      requireNonNull(first.get()).stop(LONG);
    }));
    ScriptedDelivery one = firstSource.push(ScriptedDelivery.of(other.name(), "a"));
    ScriptedDelivery two = receiving.source("r").push(ScriptedDelivery.of("r", "b"));
    await("both outcomes", () -> one.outcomes.size() + two.outcomes.size() == 2);
    assertThat(one.outcomes).containsExactly(new Acknowledge());
    assertThat(two.outcomes).containsExactly(new Acknowledge());
    await(
        "both closes",
        () -> firstSource.closes.get() == 1 && receiving.source("r").closes.get() == 1);
  }

  @Test
  void concurrentStopsHaveOneReport() throws Exception {
    Subscription worker = worker().start(delivery -> gate.await());
    source().push("a", "b");
    await("both", () -> worker.counters().buffered() == 1);
    List<CompletableFuture<StopReport>> stops = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      stops.add(stopAside(worker, LONG));
    }
    await("the stop", () -> worker.counters().givenBack() == 1);
    gate.countDown();
    StopReport report = stops.get(0).get();
    for (CompletableFuture<StopReport> each : stops) {
      assertThat(each.get()).isEqualTo(report);
    }
    assertThat(source().cancels).hasValue(1);
    assertThat(source().closes).hasValue(1);
  }

  @Test
  void waitsForTheAnswersToItsOutcomes() throws Exception {
    CompletableFuture<Settlement> answer = new CompletableFuture<>();
    Subscription worker = worker().start(delivery -> handled.add(delivery.payload()));
    ScriptedDelivery delivery = ScriptedDelivery.of("q", "a");
    delivery.answers = outcome -> answer;
    source().push(delivery);
    await("the outcome", () -> delivery.outcomes.size() == 1);
    CompletableFuture<StopReport> stop = stopAside(worker, LONG);
    await("the stop", () -> source().cancels.get() == 1);
    assertThat(source().closes).hasValue(0);
    assertThat(stop).isNotDone();
    answer.complete(Settlement.LEASE_LOST);
    stop.get();
    assertThat(source().closes).hasValue(1);
    assertThat(checked(worker).leasesLost()).isOne();
  }

  @Test
  void anEngineThatNeverAnswersDoesNotHoldUpTheStop() throws Exception {
    Subscription worker = worker().start(delivery -> handled.add(delivery.payload()));
    ScriptedDelivery delivery = ScriptedDelivery.of("q", "a");
    delivery.answers = outcome -> new CompletableFuture<>();
    source().push(delivery);
    await("the outcome", () -> delivery.outcomes.size() == 1);
    CompletableFuture<StopReport> stop = stopAside(worker, Duration.ZERO);
    await("the stop", () -> {
      receiving.engine.clock.advance(Duration.ofMillis(100));
      return stop.isDone();
    });
    assertThat(source().closes).hasValue(1);
  }

  @Test
  void severalSubscriptionsShareTheGraceOfAnEngineThatNeverAnswers() throws Exception {
    for (int i = 0; i < 5; i++) {
      receiving
          .subscriptions
          .worker(WorkQueue.of("q" + i, Codecs.utf8()))
          .start(delivery -> handled.add(delivery.payload()));
      ScriptedDelivery delivery = ScriptedDelivery.of("q" + i, "a");
      delivery.answers = outcome -> new CompletableFuture<>();
      receiving.source("q" + i).push(delivery);
    }
    await("all", () -> handled.size() == 5);
    receiving.subscriptions.stop(Duration.ofMillis(1));
    assertThat(receiving.engine.sources.values()).allMatch(each -> each.closes.get() == 1);
  }

  @Test
  void repliersStopAfterTheWorkersThatAskThem() throws Exception {
    Subject<String, String> subject = Subject.of("s", Codecs.utf8(), Codecs.utf8());
    receiving.subscriptions.replier(subject).start(Delivery::payload);
    ScriptedSource requests = receiving.source("s");
    Subscription worker = worker().start(delivery -> gate.await());
    source().push("a", "b");
    await("both", () -> worker.counters().buffered() == 1);
    CompletableFuture<StopReport> stop = CompletableFuture.supplyAsync(
        () -> receiving.subscriptions.stop(LONG), receiving.callbacks);
    await("the worker's stop", () -> worker.counters().givenBack() == 1);
    ScriptedDelivery request = requests.push(ScriptedDelivery.of("s", "question"));
    await("the reply", () -> request.replies.size() == 1);
    assertThat(request.replies.get(0).status()).isEqualTo(Reply.Status.OK);
    assertThat(requests.cancels).hasValue(0);
    gate.countDown();
    assertThat(without(Duration.ZERO, stop.get()))
        .isEqualTo(new StopReport(Duration.ZERO, 1, 1, 0));
    assertThat(requests.closes).hasValue(1);
    assertThatThrownBy(() -> worker().start(delivery -> {}))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("messaging is closed");
  }

  @Test
  void stopOfAllInsideAHandlerDoesNotWaitForIt() throws Exception {
    AtomicReference<StopReport> report = new AtomicReference<>();
    worker().start(delivery -> report.set(receiving.subscriptions.stop(LONG)));
    ScriptedDelivery delivery = source().push("a").get(0);
    await("the outcome", () -> delivery.outcomes.size() == 1);
    assertThat(delivery.outcomes).containsExactly(new Acknowledge());
    assertThat(requireNonNull(report.get()).finished()).isOne();
    await("the close", () -> source().closes.get() == 1);
  }

  @Test
  void pausedWorkerStopsAndGivesBack() throws Exception {
    Subscription worker = worker().start(delivery -> handled.add(delivery.payload()));
    worker.pause();
    List<ScriptedDelivery> pushed = source().push("a", "b");
    await("the buffer", () -> worker.counters().buffered() == 2);
    assertThat(worker.stop(LONG).givenBack()).isEqualTo(2);
    worker.resume();
    assertThat(pushed).allMatch(each -> each.outcomes.equals(List.of(UNSTARTED)));
    assertThat(handled).isEmpty();
  }
}
