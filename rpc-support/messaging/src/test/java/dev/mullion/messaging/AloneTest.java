package dev.mullion.messaging;

import static dev.mullion.messaging.Receiving.await;
import static dev.mullion.messaging.Receiving.checked;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.engine.Outcome;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Messages that may have killed their process. */
class AloneTest {
  private final Receiving receiving = new Receiving();
  private final Map<String, CountDownLatch> gates = new ConcurrentHashMap<>();
  private final List<String> started = new CopyOnWriteArrayList<>();

  @AfterEach
  void close() {
    gates.values().forEach(CountDownLatch::countDown);
    receiving.close();
  }

  private Subscription worker(String queue, int concurrency) throws MessagingException {
    return receiving
        .subscriptions
        .worker(WorkQueue.builder(queue, Codecs.utf8())
            .handlerTimeout(Duration.ofDays(1))
            .build())
        .concurrency(concurrency)
        .prefetch(10)
        .start(delivery -> {
          started.add(delivery.payload());
          gate(delivery.payload()).await();
        });
  }

  private CountDownLatch gate(String payload) {
    return gates.computeIfAbsent(payload, each -> new CountDownLatch(1));
  }

  private void open(String payload) {
    gate(payload).countDown();
  }

  private ScriptedDelivery push(String queue, String text) {
    return receiving.source(queue).push(ScriptedDelivery.of(queue, text));
  }

  private ScriptedDelivery pushSuspect(String queue, String text) {
    return receiving.source(queue).push(ScriptedDelivery.of(queue, text).losses(1));
  }

  @Test
  void startsWhenNothingElseRunsAndNothingStartsBesideIt() throws Exception {
    Subscription worker = worker("q", 3);
    push("q", "a");
    push("q", "b");
    await("both", () -> started.size() == 2);
    pushSuspect("q", "suspect");
    push("q", "c");
    open("a");
    await("one", () -> checked(worker).acknowledged() == 1);
    assertThat(started).containsExactlyInAnyOrder("a", "b");
    open("b");
    await("the suspect", () -> started.contains("suspect"));
    push("q", "d");
    assertThat(checked(worker).inFlight()).isOne();
    assertThat(started).hasSize(3);
    open("suspect");
    await("the others", () -> started.size() == 5);
    open("c");
    open("d");
    await("all", () -> checked(worker).acknowledged() == 5);
  }

  @Test
  void onlyOneForAllSubscriptionsAndTheOthersGoOn() throws Exception {
    Subscription first = worker("q", 2);
    Subscription second = worker("r", 2);
    pushSuspect("q", "one");
    await("the first suspect", () -> started.contains("one"));
    pushSuspect("r", "two");
    push("r", "three");
    await("the other message", () -> started.contains("three"));
    open("three");
    await("its end", () -> checked(second).acknowledged() == 1);
    assertThat(started).containsExactly("one", "three");
    open("one");
    await("the second suspect", () -> started.contains("two"));
    assertThat(checked(first).acknowledged()).isOne();
    open("two");
    await("its end", () -> checked(second).acknowledged() == 2);
  }

  @Test
  void severalSuspectsOneAfterTheOther() throws Exception {
    Subscription worker = worker("q", 4);
    for (String each : List.of("a", "b", "c")) {
      pushSuspect("q", each);
    }
    for (String each : List.of("a", "b", "c")) {
      await(each, () -> started.contains(each));
      assertThat(checked(worker).inFlight()).isOne();
      open(each);
    }
    await("all", () -> checked(worker).acknowledged() == 3);
  }

  @Test
  void stopAndPauseReleaseTheRight() throws Exception {
    Subscription first = worker("q", 1);
    Subscription second = worker("r", 1);
    push("q", "a");
    await("a", () -> started.contains("a"));
    pushSuspect("q", "one"); // waits for a, with the right to run alone or not yet
    first.pause();
    pushSuspect("r", "two");
    await("the other's suspect", () -> started.contains("two"));
    open("two");
    await("its end", () -> checked(second).acknowledged() == 1);
    open("a");
    await("a's end", () -> checked(first).acknowledged() == 1);
    assertThat(first.stop(Duration.ofSeconds(10)).givenBack()).isOne();
    pushSuspect("r", "three");
    await("another", () -> started.contains("three"));
    assertThat(started).doesNotContain("one");
  }

  /** Other slots were free, so it stayed, and kept the right. */
  @Test
  void aSuspectGoesBackIfAnotherRunsForLong() throws Exception {
    receiving.engine.rows = EmbeddedGuarantees.IN_MEMORY; // it may give back
    worker("q", 3);
    Subscription other = worker("r", 1);
    push("q", "a");
    await("a", () -> started.contains("a"));
    ScriptedDelivery suspect = pushSuspect("q", "one");
    ScriptedDelivery behind = push("q", "b");
    pushSuspect("r", "two");

    lookUntilGivenBack(suspect);

    lookUntilGivenBack(behind);
    await("the other's suspect", () -> started.contains("two"));
    assertThat(suspect.outcomes).containsExactly(new Outcome.GiveBack(false));
    push("q", "c");
    await("one beside it", () -> started.contains("c"));
    open("two");
    await("its end", () -> checked(other).acknowledged() == 1);
    assertThat(started).containsExactly("a", "two", "c");
  }

  @Test
  void whatWaitsBehindASuspectThatRunsForLongGoesBack() throws Exception {
    receiving.engine.rows = EmbeddedGuarantees.IN_MEMORY; // it may give back
    worker("q", 3);
    pushSuspect("q", "one");
    await("the suspect", () -> started.contains("one"));
    lookUntilGivenBack(push("q", "a"));
    assertThat(started).containsExactly("one");
  }

  /** Nothing more was asked for until the handler that was cut off returned. */
  @Test
  void aHandlerThatWasCutOffDoesNotKeepOthersFromComing() throws Exception {
    receiving.engine.rows = EmbeddedGuarantees.IN_MEMORY; // it may give back
    CountDownLatch stubborn = new CountDownLatch(1);
    receiving
        .subscriptions
        .worker(WorkQueue.builder("q", Codecs.utf8())
            .handlerTimeout(Duration.ofDays(1))
            .build())
        .concurrency(2)
        .prefetch(2)
        .start(delivery -> {
          started.add(delivery.payload());
          while (stubborn.getCount() > 0) {
            Thread.onSpinWait();
          }
        });
    push("q", "a");
    await("a", () -> started.contains("a"));
    lookUntilGivenBack(pushSuspect("q", "one"));
    int credit = receiving.source("q").credit();
    await("more credit", () -> {
      receiving.engine.clock.advance(Duration.ofDays(1));
      return receiving.source("q").credit() > credit;
    });
    stubborn.countDown();
  }

  private void lookUntilGivenBack(ScriptedDelivery delivery) {
    await("the look", () -> {
      receiving.engine.clock.advance(StuckMessages.INTERVAL);
      return delivery.outcomes.contains(new Outcome.GiveBack(false));
    });
  }

  @Test
  void aSuspectThatTimesOutDoesNotHoldUpTheOthers() throws Exception {
    CountDownLatch stubborn = new CountDownLatch(1);
    Subscription worker = receiving
        .subscriptions
        .worker(WorkQueue.of("q", Codecs.utf8()))
        .concurrency(2)
        .start(delivery -> {
          started.add(delivery.payload());
          while (delivery.payload().equals("suspect") && stubborn.getCount() > 0) {
            Thread.onSpinWait();
          }
        });
    ScriptedDelivery suspect = pushSuspect("q", "suspect");
    push("q", "a");
    await("the suspect", () -> suspect.begins.get() == 1);
    assertThat(checked(worker).buffered()).isOne();
    receiving.engine.clock.advance(Duration.ofSeconds(30));
    await("the timeout", () -> {
      receiving.engine.clock.advance(Duration.ofMillis(1)); // the other must not time out too
      return suspect.outcomes.size() == 1;
    });
    await("the other", () -> checked(worker).acknowledged() == 1);
    stubborn.countDown();
  }
}
