package dev.mullion.messaging;

import static dev.mullion.messaging.EmbeddedFixture.ACKNOWLEDGE;
import static dev.mullion.messaging.EmbeddedFixture.GIVE_BACK;
import static dev.mullion.messaging.EmbeddedFixture.await;
import static dev.mullion.messaging.EmbeddedFixture.bury;
import static dev.mullion.messaging.EmbeddedFixture.message;
import static dev.mullion.messaging.EmbeddedFixture.queue;
import static dev.mullion.messaging.EmbeddedFixture.redeliver;
import static dev.mullion.messaging.EmbeddedFixture.settle;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class EmbeddedQueueTest {
  private static final Route.Queue JOBS = queue("jobs");

  private final EmbeddedFixture embedded = new EmbeddedFixture();
  private final RecordingSink sink = new RecordingSink();

  @AfterEach
  void close() {
    embedded.close();
  }

  /** It stayed until the next push, as nobody had noted that it waits. */
  @Test
  void jobThatBecomesDueWhileNobodyHasCreditComesWithLaterCredit() throws Exception {
    Source worker = embedded.consume(JOBS, sink);
    worker.request(1);
    embedded.push(JOBS, "a");
    EmbeddedFixture.settle(sink.last(), EmbeddedFixture.redeliver(50));
    embedded.clock.advance(Duration.ofMillis(60));
    assertThat(sink.texts()).containsExactly("a");
    worker.request(1);
    assertThat(sink.texts()).containsExactly("a", "a");
  }

  @Test
  void keepsJobsUntilAWorkerComes() throws Exception {
    embedded.push(JOBS, "a", "b");
    Source source = embedded.consume(JOBS, sink);
    assertThat(sink.deliveries).isEmpty();
    source.request(1);
    assertThat(sink.texts()).containsExactly("a");
    source.request(5);
    assertThat(sink.texts()).containsExactly("a", "b");
    embedded.push(JOBS, "c");
    assertThat(sink.texts()).containsExactly("a", "b", "c");
    assertThat(settle(sink.last(), ACKNOWLEDGE)).isEqualTo(Settlement.APPLIED);
    assertThat(settle(sink.last(), ACKNOWLEDGE)).isEqualTo(Settlement.LEASE_LOST);
    assertThat(embedded.status("jobs").inFlight()).isEqualTo(2);
  }

  @Test
  void pollDeliversWhatWaitsAndOwesNothing() throws Exception {
    Source source = embedded.consume(JOBS, sink);
    source.poll(3);
    embedded.push(JOBS, "a", "b", "c", "d");
    assertThat(sink.deliveries).isEmpty();
    source.poll(2);
    assertThat(sink.texts()).containsExactly("a", "b");
    source.poll(8);
    embedded.push(JOBS, "e");
    assertThat(sink.texts()).containsExactly("a", "b", "c", "d");
    source.request(1);
    source.poll(8); // to ask for what the credit was used for already owes nothing either
    embedded.push(JOBS, "f");
    assertThat(sink.texts()).containsExactly("a", "b", "c", "d", "e");
    assertThat(embedded.status("jobs").waiting()).isEqualTo(1);
  }

  @Test
  void pollUsesUpCredit() throws Exception {
    Source source = embedded.consume(JOBS, sink);
    Source other = embedded.consume(JOBS, new RecordingSink());
    embedded.push(JOBS, "a", "b", "c");
    other.cancel();
    source.poll(3);
    source.request(2);
    embedded.push(JOBS, "d");
    source.poll(1);
    embedded.push(JOBS, "e", "f");
    assertThat(sink.texts()).containsExactly("a", "b", "c", "d", "e");
  }

  @Test
  void workersWithCreditTakeTurns() throws Exception {
    RecordingSink other = new RecordingSink();
    embedded.consume(JOBS, sink).request(2);
    embedded.consume(JOBS, other).request(8);
    embedded.push(JOBS, "a", "b", "c", "d", "e");
    assertThat(sink.texts()).containsExactly("a", "c");
    assertThat(other.texts()).containsExactly("b", "d", "e");
  }

  @Test
  void countsFailuresAndKeepsTheDelay() throws Exception {
    embedded.consume(JOBS, sink).request(8);
    embedded.push(JOBS, "a");
    settle(sink.last(), redeliver(100));
    embedded.clock.advance(Duration.ofMillis(99));
    embedded.push(JOBS, "b");
    assertThat(sink.texts()).containsExactly("a", "b");
    assertThat(embedded.status("jobs").delayed()).isEqualTo(1);
    embedded.clock.advance(Duration.ofMillis(1));
    assertThat(sink.texts()).containsExactly("a", "b", "a");
    assertThat(sink.last().failures()).isEqualTo(1);
    settle(sink.last(), redeliver(0));
    assertThat(sink.last().failures()).isEqualTo(2);
  }

  @Test
  void whatIsGivenBackGoesToTheFrontInItsOrder() throws Exception {
    Source source = embedded.consume(JOBS, sink);
    source.request(3);
    embedded.push(JOBS, "a", "b", "c", "d");
    settle(sink.deliveries.get(2), GIVE_BACK);
    settle(sink.deliveries.get(0), redeliver(0));
    source.request(4);
    assertThat(sink.texts()).containsExactly("a", "b", "c", "a", "c", "d");
    assertThat(sink.deliveries.get(3).failures()).isEqualTo(1);
    assertThat(sink.deliveries.get(4).failures()).isZero();
  }

  @Test
  void closingGivesBackAndCountsWhatHadBegun() throws Exception {
    Source source = embedded.consume(JOBS, sink);
    source.request(2);
    embedded.push(JOBS, "a", "b", "c");
    RawDelivery begun = sink.deliveries.get(0);
    begun.begin();
    source.close();
    assertThat(settle(begun, ACKNOWLEDGE)).isEqualTo(Settlement.LEASE_LOST);
    RecordingSink next = new RecordingSink();
    embedded.consume(JOBS, next).request(8);
    assertThat(next.texts()).containsExactly("a", "b", "c");
    assertThat(next.deliveries.stream().map(RawDelivery::losses)).containsExactly(1, 0, 0);
  }

  @Test
  void aCancelledWorkerCanStillSettle() throws Exception {
    Source source = embedded.consume(JOBS, sink);
    source.request(8);
    embedded.push(JOBS, "a");
    source.cancel();
    embedded.push(JOBS, "b");
    assertThat(sink.texts()).containsExactly("a");
    assertThat(embedded.status("jobs").inFlight()).isEqualTo(1);
    assertThat(settle(sink.last(), ACKNOWLEDGE)).isEqualTo(Settlement.APPLIED);
    source.close();
    assertThat(embedded.status("jobs").inFlight()).isZero();
    assertThat(embedded.status("jobs").waiting()).isEqualTo(1);
  }

  @Test
  void aSinkMayCloseItsSource() throws Exception {
    CompletableFuture<Source> made = new CompletableFuture<>();
    Source source = embedded.link.consume(
        JOBS,
        new dev.mullion.messaging.engine.ConsumerSettings(8, 8, 8, Overflow.FAIL),
        new dev.mullion.messaging.engine.Sink() {
          @Override
          public void deliver(RawDelivery delivery) {
            made.join().close();
          }

          @Override
          public void dropped(long messages) {}

          @Override
          public void failed(MessagingException cause) {}
        });
    made.complete(source);
    embedded.push(JOBS, "a", "b");
    source.request(8);
    assertThat(embedded.status("jobs").waiting()).isEqualTo(2);
  }

  @Test
  void aSinkThatThrowsGivesBack() throws Exception {
    Source source = embedded.link.consume(
        JOBS,
        new dev.mullion.messaging.engine.ConsumerSettings(8, 8, 8, Overflow.FAIL),
        new dev.mullion.messaging.engine.Sink() {
          @Override
          public void deliver(RawDelivery delivery) {
            throw new StackOverflowError("thrown on purpose");
          }

          @Override
          public void dropped(long messages) {}

          @Override
          public void failed(MessagingException cause) {}
        });
    source.request(2);
    embedded.push(JOBS, "a");
    assertThat(embedded.status("jobs").waiting()).isEqualTo(1);
  }

  @Test
  void deadLettersHoldTheOriginal() throws Exception {
    embedded.consume(JOBS, sink).request(8);
    Message<byte[]> sent = message("a").withKey("key").withHeader("name", "value");
    await(embedded.link.send(JOBS, sent));
    settle(sink.last(), redeliver(0));
    sink.last().begin();
    settle(sink.last(), bury(DeadLetter.Reason.REJECTED));
    DeadLetter letter = await(embedded.link.deadLetters(JOBS).peek(5)).get(0);
    assertThat(letter.original()).isSameAs(sent);
    assertThat(letter.queue()).isEqualTo("jobs");
    assertThat(letter.reason()).isEqualTo(DeadLetter.Reason.REJECTED);
    assertThat(letter.error()).isEqualTo("buried");
    assertThat(letter.deliveryCount()).isEqualTo(2);
    assertThat(letter.died().toEpochMilli()).isEqualTo(embedded.clock.currentTimeMillis());
    assertThat(await(embedded.link.deadLetters(JOBS).count())).isEqualTo(1);
  }

  @Test
  void redriveStartsCountsAgainOldestFirst() throws Exception {
    Source source = embedded.consume(JOBS, sink);
    source.request(4);
    embedded.push(JOBS, "a", "b", "c", "d");
    for (RawDelivery delivery : List.copyOf(sink.deliveries)) {
      settle(delivery, bury(DeadLetter.Reason.DELIVERY_LIMIT));
    }
    DeadLetters letters = embedded.link.deadLetters(JOBS);
    assertThat(await(letters.redrive(2, letter -> !text(letter).equals("b")))).isEqualTo(2);
    source.request(4);
    assertThat(sink.texts()).endsWith("a", "c");
    assertThat(sink.last().failures()).isZero();
    assertThat(await(letters.purge(letter -> text(letter).equals("d")))).isEqualTo(1);
    assertThat(await(letters.peek(5)).stream().map(EmbeddedQueueTest::text)).containsExactly("b");
  }

  private static String text(DeadLetter letter) {
    return new String(letter.original().payload(), java.nio.charset.StandardCharsets.UTF_8);
  }

  @Test
  void deadLettersAreBoundedByNumberAndAge() throws Exception {
    Route.Queue bounded = EmbeddedFixture.builder("bounded")
        .maxDeadLetters(2)
        .deadLetterAge(Duration.ofHours(1))
        .build()
        .route();
    embedded.consume(bounded, sink).request(8);
    embedded.push(bounded, "a", "b", "c");
    for (RawDelivery delivery : List.copyOf(sink.deliveries)) {
      settle(delivery, bury(DeadLetter.Reason.REJECTED));
    }
    DeadLetters letters = embedded.link.deadLetters(bounded);
    assertThat(await(letters.peek(5)).stream().map(EmbeddedQueueTest::text))
        .containsExactly("b", "c");
    assertThat(embedded.status("bounded").deadLettersDropped()).isEqualTo(1);
    embedded.clock.advance(Duration.ofMinutes(59));
    assertThat(await(letters.count())).isEqualTo(2);
    embedded.clock.advance(Duration.ofMinutes(1));
    assertThat(await(letters.count())).isZero();
    assertThat(embedded.status("bounded").deadLettersDropped()).isEqualTo(3);
  }

  @Test
  void whatExpiresBecomesADeadLetterWithoutAWorker() throws Exception {
    await(embedded.link.send(JOBS, message("a").withTimeToLive(Duration.ofSeconds(5))));
    embedded.clock.advance(Duration.ofSeconds(5));
    assertThat(await(embedded.link.deadLetters(JOBS).peek(1)).get(0).reason())
        .isEqualTo(DeadLetter.Reason.EXPIRED);
    assertThat(embedded.status("jobs").expired()).isEqualTo(1);
    assertThat(embedded.status("jobs").waiting()).isZero();
  }

  @Test
  void anotherDeclarationIsRejectedWithBothValues() throws Exception {
    embedded.link.prepare(JOBS, EngineLink.Declaration.CHECK);
    Route.Queue other = EmbeddedFixture.builder("jobs")
        .capacity(7)
        .handlerTimeout(Duration.ofSeconds(5))
        .build()
        .route();
    assertThatThrownBy(() -> embedded.link.prepare(other, EngineLink.Declaration.CHECK))
        .isInstanceOf(ConflictingDeclarationException.class)
        .hasMessage("queue jobs is declared with other settings: handlerTimeout: PT5S (declared:"
            + " PT30S), capacity: 7 (declared: 0) (redeclare changes them on purpose)");
    assertThatThrownBy(() -> embedded.consume(other, sink))
        .isInstanceOf(ConflictingDeclarationException.class);
    embedded.link.prepare(other, EngineLink.Declaration.REPLACE);
    assertThatThrownBy(() -> embedded.link.prepare(JOBS, EngineLink.Declaration.CHECK))
        .hasMessageContaining("capacity: 0 (declared: 7)");
  }

  /** It handed out under the lock of all declarations, which others then waited for. */
  @Test
  void redeclaringHandsOutUnderNoLock() throws Exception {
    Route.Queue ordered = EmbeddedFixture.builder("jobs").ordered(true).build().route();
    List<String> delivered = new ArrayList<>();
    Source source = embedded.link.consume(
        ordered,
        new ConsumerSettings(8, 8, 8, Overflow.FAIL),
        new dev.mullion.messaging.engine.Sink() {
          @Override
          public void deliver(RawDelivery delivery) {
            delivered.add(RecordingSink.text(delivery));
            declareElsewhere();
          }

          @Override
          public void dropped(long messages) {}

          @Override
          public void failed(MessagingException cause) {}
        });
    source.request(8);
    for (String text : List.of("a", "b")) {
      await(embedded.link.send(ordered, message(text).withKey("k")));
    }
    assertThat(delivered).containsExactly("a");
    embedded.link.prepare(JOBS, EngineLink.Declaration.REPLACE);
    assertThat(delivered).containsExactly("a", "b");
    assertThat(embedded.status("jobs").inFlight()).isEqualTo(2); // neither was given back
  }

  private void declareElsewhere() {
    CompletableFuture.runAsync(() -> {
          try {
            embedded.link.prepare(queue("others"), EngineLink.Declaration.CHECK);
          } catch (MessagingException e) {
            throw new AssertionError(e);
          }
        })
        .orTimeout(5, TimeUnit.SECONDS)
        .join();
  }

  /** It also completed the stages of waiting sends there. */
  @Test
  void redeclaringAcceptsWaitingSendsUnderNoLock() throws Exception {
    Route.Queue full = EmbeddedFixture.builder("jobs").capacity(1).build().route();
    await(embedded.link.send(full, message("a")));
    CompletionStage<Void> accepted =
        embedded.link.send(full, message("b")).thenRun(this::declareElsewhere);
    embedded.link.prepare(JOBS, EngineLink.Declaration.REPLACE);
    await(accepted);
    assertThat(embedded.status("jobs").waiting()).isEqualTo(2);
  }

  @Test
  void deletingEndsItsWorkers() throws Exception {
    embedded.consume(JOBS, sink).request(1);
    embedded.push(JOBS, "a", "b");
    await(embedded.link.delete(JOBS));
    assertThat(sink.failures.get(0)).hasMessage("queue jobs was deleted");
    assertThat(settle(sink.last(), ACKNOWLEDGE)).isEqualTo(Settlement.LEASE_LOST);
    assertThat(await(embedded.link.queues())).isEmpty();
    embedded.push(JOBS, "c");
    assertThat(embedded.status("jobs").waiting()).isEqualTo(1);
  }

  @Test
  void statusHasTheNumbers() throws Exception {
    embedded.push(JOBS, "a", "bcd");
    embedded.clock.advance(Duration.ofSeconds(3));
    QueueStatus status = embedded.status("jobs");
    assertThat(status.waiting()).isEqualTo(2);
    assertThat(status.waitingBytes()).isEqualTo(4);
    assertThat(status.oldest()).isEqualTo(Duration.ofSeconds(3));
    assertThat(status.consumers()).isZero();
  }

  @Test
  void aLinkThatClosesGivesBack() throws Exception {
    EngineLink other = embedded.open(Duration.ZERO);
    Source source = other.consume(
        JOBS, new dev.mullion.messaging.engine.ConsumerSettings(8, 8, 8, Overflow.FAIL), sink);
    source.request(8);
    embedded.push(JOBS, "a");
    other.close();
    assertThat(embedded.status("jobs").waiting()).isEqualTo(1);
    assertThatThrownBy(() -> await(other.send(JOBS, message("b"))))
        .hasRootCauseMessage("messaging is closed");
    settle(sink.last(), new Outcome.Acknowledge());
    assertThat(embedded.status("jobs").waiting()).isEqualTo(1);
  }

  /** Time that passes as soon as the broker is idle must find the timer of the redelivery. */
  @Test
  void isNotIdleBeforeTheTimerOfADelayIsSet() throws Exception {
    CountDownLatch scheduling = new CountDownLatch(1);
    CountDownLatch mayGoOn = new CountDownLatch(1);
    ManualClock time = new ManualClock();
    MessagingClock slow = new MessagingClock() {
      @Override
      public long nanoTime() {
        return time.nanoTime();
      }

      @Override
      public long currentTimeMillis() {
        return time.currentTimeMillis();
      }

      @Override
      public Timer schedule(Duration delay, Runnable task) {
        scheduling.countDown();
        try {
          mayGoOn.await();
        } catch (InterruptedException e) {
          throw new IllegalStateException(e);
        }
        return time.schedule(delay, task);
      }
    };
    try (EmbeddedBroker broker = new EmbeddedBroker("embedded", slow, null)) {
      EngineLink link = broker.open(new EngineContext(
          EmbeddedFixture.events(new ArrayList<>()), Runnable::run, 8, Duration.ofSeconds(1)));
      link.consume(JOBS, new ConsumerSettings(8, 8, 8, Overflow.BLOCK), sink).request(8);
      await(link.send(JOBS, message("a")));
      Thread failing = new Thread(() -> sink.last().settle(redeliver(50)));
      failing.start();
      try {
        scheduling.await();
        assertThatThrownBy(() -> broker.awaitIdle(Duration.ofMillis(20)))
            .isInstanceOf(TimeoutException.class)
            .hasMessageContaining("queue jobs");
      } finally {
        mayGoOn.countDown();
      }
      failing.join();
      broker.awaitIdle(Duration.ofSeconds(10));
      time.advance(Duration.ofMillis(50));
      Waiting.until(() -> sink.deliveries.size() == 2);
    }
  }
}
