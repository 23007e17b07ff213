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

import dev.mullion.messaging.Store.Step;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EmbeddedStoreTest {
  private static final Route.Queue JOBS = queue("jobs");

  private final MemoryStore store = new MemoryStore();
  private EmbeddedFixture embedded = new EmbeddedFixture(store);
  private final RecordingSink sink = new RecordingSink();

  @AfterEach
  void close() {
    embedded.close();
  }

  private void restart() {
    embedded.close();
    embedded = new EmbeddedFixture(store);
  }

  private void idle() throws Exception {
    embedded.broker.awaitIdle(Duration.ofSeconds(10));
  }

  /** Waits until as many deliveries came; what is read from disk comes on another thread. */
  private void awaitDeliveries(int count) {
    Waiting.until(() -> sink.deliveries.size() >= count);
    assertThat(sink.deliveries).hasSize(count);
  }

  @Test
  void aPushIsVisibleOnceItIsOnDisk() throws Exception {
    embedded.link.prepare(JOBS, EngineLink.Declaration.CHECK);
    embedded.consume(JOBS, sink).request(8);
    store.held = true;
    CompletableFuture<Void> pushed = embedded.link.send(JOBS, message("a")).toCompletableFuture();
    assertThat(pushed).isNotDone();
    assertThat(sink.deliveries).isEmpty();
    store.commit();
    await(pushed);
    awaitDeliveries(1);
    store.held = false;
  }

  @Test
  void waitingJobsAreReadWhenTheyAreDelivered() throws Exception {
    embedded.push(JOBS, "a", "b");
    restart();
    embedded.consume(JOBS, sink).request(8);
    awaitDeliveries(2);
    assertThat(sink.texts()).containsExactly("a", "b");
    assertThat(sink.last().address()).isEqualTo("jobs");
    for (RawDelivery delivery : sink.deliveries) {
      assertThat(settle(delivery, ACKNOWLEDGE)).isEqualTo(Settlement.APPLIED);
    }
    restart();
    assertThat(embedded.status("jobs").waiting()).isZero();
  }

  @Test
  void countsAndDelaysSurvive() throws Exception {
    embedded.consume(JOBS, sink).request(8);
    embedded.push(JOBS, "a", "b");
    awaitDeliveries(2);
    settle(sink.deliveries.get(0), redeliver(100));
    settle(sink.deliveries.get(1), GIVE_BACK);
    awaitDeliveries(3);
    sink.last().begin();
    assertThat(store.marks).hasSize(1);
    restart(); // closing counts what had begun
    assertThat(store.marks).isEmpty();
    assertThat(embedded.status("jobs").delayed()).isEqualTo(1);
    RecordingSink next = new RecordingSink();
    embedded.consume(JOBS, next).request(8);
    Waiting.until(() -> next.deliveries.size() == 1);
    assertThat(next.last().losses()).isEqualTo(1);
    assertThat(next.last().failures()).isZero();
    embedded.clock.advance(Duration.ofMillis(100));
    Waiting.until(() -> next.deliveries.size() == 2);
    assertThat(RecordingSink.text(next.last())).isEqualTo("a");
    assertThat(next.last().failures()).isEqualTo(1);
  }

  @Test
  void anOutcomeHasItsEffectOnceItIsOnDisk() throws Exception {
    embedded.consume(JOBS, sink).request(8);
    embedded.push(JOBS, "a");
    awaitDeliveries(1);
    sink.last().begin();
    store.held = true;
    CompletableFuture<Settlement> settled = sink.last().settle(redeliver(0)).toCompletableFuture();
    assertThat(settled).isNotDone();
    assertThat(store.marks).hasSize(1); // the death of the process would still be counted
    assertThat(embedded.status("jobs").inFlight()).isEqualTo(1); // never lost from sight
    store.commit();
    assertThat(await(settled)).isEqualTo(Settlement.APPLIED);
    awaitDeliveries(2);
    assertThat(store.marks).isEmpty();
    assertThat(sink.last().failures()).isEqualTo(1);
    store.held = false;
    settle(sink.last(), ACKNOWLEDGE);
    assertThat(embedded.status("jobs").inFlight()).isZero();
  }

  @Test
  void deadLettersSurviveAndAreRedriven() throws Exception {
    embedded.consume(JOBS, sink).request(8);
    embedded.push(JOBS, "a", "b");
    awaitDeliveries(2);
    for (RawDelivery delivery : List.copyOf(sink.deliveries)) {
      settle(delivery, bury(DeadLetter.Reason.REJECTED));
    }
    restart();
    DeadLetters letters = embedded.link.deadLetters(JOBS);
    assertThat(await(letters.count())).isEqualTo(2);
    assertThat(await(letters.peek(1)).get(0).reason()).isEqualTo(DeadLetter.Reason.REJECTED);
    assertThat(await(letters.redrive(5, letter -> true))).isEqualTo(2);
    restart();
    assertThat(await(embedded.link.deadLetters(JOBS).count())).isZero();
    embedded.consume(JOBS, sink).request(8);
    awaitDeliveries(4);
    assertThat(sink.texts()).endsWith("a", "b");
  }

  @Test
  void tooOldDeadLettersAreDroppedAfterARestart() throws Exception {
    embedded.consume(JOBS, sink).request(8);
    embedded.push(JOBS, "a");
    awaitDeliveries(1);
    settle(sink.last(), bury(DeadLetter.Reason.REJECTED));
    ManualClock before = embedded.clock;
    restart(); // its clock stands where the first one stood
    assertThat(before.currentTimeMillis()).isEqualTo(embedded.clock.currentTimeMillis());
    DeadLetters letters = embedded.link.deadLetters(JOBS);
    assertThat(await(letters.count())).isEqualTo(1);
    Waiting.until(() -> {
      embedded.clock.advance(Duration.ofDays(14));
      return letters.count().toCompletableFuture().join() == 0;
    });
    assertThat(embedded.status("jobs").deadLettersDropped()).isEqualTo(1);
  }

  @Test
  void aPublishToGroupsIsOneChange() throws Exception {
    Topic<byte[]> prices = Topic.of("prices.eur", Codecs.bytes());
    Route.Queue one = prices.group("one").route();
    Route.Queue two = Topic.of("prices.#", Codecs.bytes()).group("two").route();
    embedded.link.prepare(one, EngineLink.Declaration.CHECK);
    embedded.link.prepare(two, EngineLink.Declaration.CHECK);
    int before = store.committed.size();
    store.failAfter = 1; // both are in it
    await(embedded.link.send(prices.route(), message("a")));
    assertThat(store.committed.subList(before, store.committed.size()))
        .hasSize(2)
        .allMatch(step -> step instanceof Step.AddJob add && add.address().equals("prices.eur"));
    assertThat(embedded.status("one").waiting()).isEqualTo(1);
    assertThat(embedded.status("two").waiting()).isEqualTo(1);
  }

  @Test
  void theOldestAreDroppedExactly() throws Exception {
    Route.Queue small = EmbeddedFixture.builder("small")
        .capacity(2)
        .overflow(Overflow.DROP_OLDEST)
        .build()
        .route();
    embedded.push(small, "a", "b", "c", "d");
    idle();
    assertThat(embedded.status("small").waiting()).isEqualTo(2);
    assertThat(embedded.status("small").dropped()).isEqualTo(2);
    assertThat(await(embedded.link.deadLetters(small).peek(5)))
        .extracting(DeadLetter::reason)
        .containsExactly(DeadLetter.Reason.OVERFLOW, DeadLetter.Reason.OVERFLOW);
    embedded.consume(small, sink).request(8);
    awaitDeliveries(2);
    assertThat(sink.texts()).containsExactly("c", "d");
  }

  @Test
  void capacityCountsWhatIsOnItsWayToTheDisk() throws Exception {
    Route.Queue small = EmbeddedFixture.builder("small")
        .capacity(2)
        .overflow(Overflow.FAIL)
        .build()
        .route();
    embedded.link.prepare(small, EngineLink.Declaration.CHECK);
    store.held = true;
    embedded.link.send(small, message("a"));
    embedded.link.send(small, message("b"));
    assertThatThrownBy(() -> await(embedded.link.send(small, message("c"))))
        .hasCauseInstanceOf(QueueFullException.class);
    store.held = false;
    store.commit();
    assertThat(embedded.status("small").waiting()).isEqualTo(2);
  }

  @Test
  void anOrderedQueueHoldsBackAKeyAcrossARestart() throws Exception {
    Route.Queue ordered =
        EmbeddedFixture.builder("ordered").ordered(true).build().route();
    await(embedded.link.send(ordered, message("a").withKey("k")));
    await(embedded.link.send(ordered, message("b").withKey("k")));
    embedded.consume(ordered, sink).request(8);
    awaitDeliveries(1);
    settle(sink.last(), redeliver(100));
    restart();
    RecordingSink next = new RecordingSink();
    embedded.consume(ordered, next).request(8);
    assertThat(embedded.status("ordered").delayed()).isEqualTo(1);
    embedded.clock.advance(Duration.ofMillis(100));
    Waiting.until(() -> next.deliveries.size() == 1);
    assertThat(next.texts()).containsExactly("a");
    settle(next.last(), ACKNOWLEDGE);
    Waiting.until(() -> next.deliveries.size() == 2);
    assertThat(next.texts()).containsExactly("a", "b");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6})
  void afterAFailureNothingIsAccepted(int changes) throws Exception {
    store.failAfter = changes;
    long accepted = 0;
    for (int i = 0; i < 4; i++) {
      try {
        await(embedded.link.send(JOBS, message("a")));
        accepted++;
      } catch (ExecutionException e) {
        assertThat(e).hasCauseInstanceOf(StoreException.class);
      }
    }
    assertThat(accepted).isEqualTo(Math.min(4, Math.max(0, changes - 1))); // one is the declaration
    if (changes < 5) {
      assertThatThrownBy(() -> await(embedded.link.send(JOBS, message("later"))))
          .hasCauseInstanceOf(StoreException.class)
          .hasMessageContaining("disk full, on purpose");
      assertThat(embedded.link.health().up()).isFalse();
      assertThat(embedded.link.health().detail()).contains("disk full, on purpose");
    }
    assertThat(embedded.status("jobs").waiting()).isEqualTo(accepted);
  }

  @Test
  void anOutcomeThatIsNotOnDiskIsUnknownAndEndsTheWorkers() throws Exception {
    embedded.consume(JOBS, sink).request(8);
    embedded.push(JOBS, "a", "b");
    awaitDeliveries(2);
    store.failAfter = 0;
    assertThat(settle(sink.deliveries.get(0), ACKNOWLEDGE)).isEqualTo(Settlement.UNKNOWN);
    Waiting.until(() -> !sink.failures.isEmpty());
    assertThat(sink.failures.get(0)).isInstanceOf(StoreException.class);
    assertThatThrownBy(() -> embedded.link.prepare(queue("other"), EngineLink.Declaration.CHECK))
        .isInstanceOf(StoreException.class);
  }

  @Test
  void aMessageThatCannotBeReadEndsTheWorkerAndIsKept() throws Exception {
    embedded.push(JOBS, "a");
    store.unreadable = true;
    embedded.consume(JOBS, sink).request(8);
    Waiting.until(() -> !sink.failures.isEmpty());
    assertThat(sink.failures.get(0)).hasMessage("unreadable, on purpose");
    assertThat(embedded.status("jobs").waiting()).isEqualTo(1);
    assertThat(embedded.status("jobs").inFlight()).isZero();
  }

  /** Such as no memory for a large message: its source must not be left with an endless turn. */
  @Test
  void anErrorWhileAMessageIsReadEndsTheWorkerAndIsNoLoss() throws Exception {
    embedded.push(JOBS, "a");
    restart();
    store.error = new LinkageError("on purpose");
    Source source = embedded.consume(JOBS, sink);
    source.request(8);
    Waiting.until(() -> !sink.failures.isEmpty());
    assertThat(sink.failures.get(0)).hasRootCause(store.error);
    source.close();
    assertThat(embedded.status("jobs").waiting()).isEqualTo(1);
    store.error = null;
    embedded.consume(JOBS, sink).request(8);
    awaitDeliveries(1);
  }

  @Test
  void declarationsSurvive() throws Exception {
    embedded.link.prepare(JOBS, EngineLink.Declaration.CHECK);
    Route.Queue other = EmbeddedFixture.builder("jobs").capacity(5).build().route();
    embedded.link.prepare(other, EngineLink.Declaration.REPLACE);
    restart();
    assertThatThrownBy(() -> embedded.link.prepare(JOBS, EngineLink.Declaration.CHECK))
        .hasMessageContaining("capacity: 0 (declared: 5)");
    await(embedded.link.delete(other));
    restart();
    assertThat(await(embedded.link.queues())).isEmpty();
  }
}
