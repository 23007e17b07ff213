package dev.mullion.messaging;

import static dev.mullion.messaging.EmbeddedFixture.ACKNOWLEDGE;
import static dev.mullion.messaging.EmbeddedFixture.await;
import static dev.mullion.messaging.EmbeddedFixture.bury;
import static dev.mullion.messaging.EmbeddedFixture.queue;
import static dev.mullion.messaging.EmbeddedFixture.redeliver;
import static dev.mullion.messaging.EmbeddedFixture.settle;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Route;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an engine in a directory knows after a restart. */
class DurableEngineTest {
  private static final Route.Queue JOBS = queue("jobs");
  private static final Route.Topic PRICES = new Route.Topic("prices.gold");

  @TempDir
  Path directory;

  /** Starts an engine, whose clock stands at the same time in each life. */
  private EmbeddedFixture start() throws MessagingException {
    return start(directory);
  }

  private static EmbeddedFixture start(Path directory) throws MessagingException {
    return new EmbeddedFixture(MvStore.open(directory, new ManualClock()));
  }

  /** Consumes a queue, and waits for that many deliveries. */
  private static List<RawDelivery> deliveries(
      EmbeddedFixture embedded, Route.Queue queue, int expected) throws Exception {
    RecordingSink sink = new RecordingSink();
    embedded.consume(queue, sink).request(100);
    Waiting.until(() -> sink.deliveries.size() == expected);
    return sink.deliveries;
  }

  private static List<String> texts(List<RawDelivery> deliveries) {
    return deliveries.stream()
        .map(delivery -> new String(delivery.message().payload(), UTF_8))
        .toList();
  }

  @Test
  void keepsWhatWasNotAcknowledgedInItsOrder() throws Exception {
    try (EmbeddedFixture embedded = start()) {
      embedded.push(JOBS, "a", "b", "c", "d");
      List<RawDelivery> deliveries = deliveries(embedded, JOBS, 4);
      settle(deliveries.get(1), ACKNOWLEDGE);
    }
    try (EmbeddedFixture embedded = start()) {
      QueueStatus status = embedded.status("jobs");
      assertThat(status.waiting()).isEqualTo(3);
      assertThat(status.waitingBytes()).isEqualTo(3);
      embedded.push(JOBS, "e");
      List<RawDelivery> deliveries = deliveries(embedded, JOBS, 4);
      assertThat(texts(deliveries)).containsExactly("a", "c", "d", "e");
      assertThat(deliveries).allMatch(delivery -> delivery.losses() == 0);
    }
  }

  @Test
  void keepsCountsAndDelays() throws Exception {
    try (EmbeddedFixture embedded = start()) {
      embedded.push(JOBS, "at once", "later");
      List<RawDelivery> deliveries = deliveries(embedded, JOBS, 2);
      settle(deliveries.get(1), redeliver(700));
      settle(deliveries.get(0), redeliver(0));
      Waiting.until(() -> deliveries.size() == 3);
      assertThat(deliveries.get(2).failures()).isEqualTo(1);
    }
    try (EmbeddedFixture embedded = start()) {
      assertThat(embedded.status("jobs").delayed()).isEqualTo(1);
      List<RawDelivery> deliveries = deliveries(embedded, JOBS, 1);
      assertThat(texts(deliveries)).containsExactly("at once");
      assertThat(deliveries.get(0).failures()).isEqualTo(1);
      embedded.clock.advance(Duration.ofMillis(699));
      assertThat(deliveries).hasSize(1);
      embedded.clock.advance(Duration.ofMillis(1));
      Waiting.until(() -> deliveries.size() == 2);
      assertThat(deliveries.get(1).failures()).isEqualTo(1);
    }
  }

  @Test
  void aClockThatWasSetBackDoesNotProlongADelay() throws Exception {
    try (EmbeddedFixture embedded = start()) {
      embedded.clock.advance(Duration.ofDays(1));
      embedded.push(JOBS, "a");
      settle(deliveries(embedded, JOBS, 1).get(0), redeliver(1000));
    }
    try (EmbeddedFixture embedded = start()) {
      List<RawDelivery> deliveries = deliveries(embedded, JOBS, 0);
      assertThat(deliveries).isEmpty();
      embedded.clock.advance(Duration.ofSeconds(1));
      Waiting.until(() -> deliveries.size() == 1);
    }
  }

  @Test
  void keepsDeadLetters() throws Exception {
    try (EmbeddedFixture embedded = start()) {
      embedded.push(JOBS, "a", "b", "c");
      for (RawDelivery delivery : List.copyOf(deliveries(embedded, JOBS, 3))) {
        settle(delivery, bury(DeadLetter.Reason.REJECTED));
      }
      DeadLetters letters = embedded.link.deadLetters(JOBS);
      assertThat(await(letters.purge(letter -> text(letter).equals("b")))).isEqualTo(1);
    }
    try (EmbeddedFixture embedded = start()) {
      DeadLetters letters = embedded.link.deadLetters(JOBS);
      List<DeadLetter> both = await(letters.peek(10));
      assertThat(both).extracting(DurableEngineTest::text).containsExactly("a", "c");
      assertThat(both).extracting(DeadLetter::queue).containsOnly("jobs");
      assertThat(both).extracting(DeadLetter::reason).containsOnly(DeadLetter.Reason.REJECTED);
      assertThat(both).extracting(DeadLetter::error).containsOnly("buried");
      assertThat(await(letters.redrive(1, letter -> true))).isEqualTo(1);
    }
    try (EmbeddedFixture embedded = start()) {
      assertThat(embedded.status("jobs").deadLetters()).isEqualTo(1);
      List<RawDelivery> deliveries = deliveries(embedded, JOBS, 1);
      assertThat(texts(deliveries)).containsExactly("a");
      assertThat(deliveries.get(0).failures()).isZero();
      assertThat(deliveries.get(0).address()).isEqualTo("jobs");
    }
  }

  private static String text(DeadLetter letter) {
    return new String(letter.original().payload(), UTF_8);
  }

  @Test
  void keepsGroups() throws Exception {
    Route.Queue group = Topic.of("prices.*", Codecs.bytes()).group("jobs").route();
    try (EmbeddedFixture embedded = start()) {
      embedded.link.prepare(group, Declaration.CHECK);
      embedded.push(PRICES, "1");
    }
    try (EmbeddedFixture embedded = start()) {
      embedded.push(PRICES, "2"); // nobody has named the group in this life
      List<RawDelivery> deliveries = deliveries(embedded, group, 2);
      assertThat(texts(deliveries)).containsExactly("1", "2");
      assertThat(deliveries).extracting(RawDelivery::address).containsOnly("prices.gold");
    }
  }

  @Test
  void keepsDeclarationsAndWhatBecameOfThem() throws Exception {
    Route.Queue bounded = EmbeddedFixture.builder("jobs").capacity(7).build().route();
    try (EmbeddedFixture embedded = start()) {
      embedded.push(JOBS, "a");
      embedded.push(queue("deleted"), "b");
      embedded.link.prepare(bounded, Declaration.REPLACE);
      await(embedded.link.delete(queue("deleted")));
    }
    try (EmbeddedFixture embedded = start()) {
      assertThatThrownBy(() -> embedded.link.prepare(JOBS, Declaration.CHECK))
          .isInstanceOf(ConflictingDeclarationException.class)
          .hasMessageContaining("7");
      embedded.link.prepare(bounded, Declaration.CHECK);
      assertThat(await(embedded.link.queues())).extracting(QueueStatus::name).containsOnly("jobs");
      assertThat(texts(deliveries(embedded, bounded, 1))).containsExactly("a");
    }
  }

  @Test
  void countsWhatHadBegunWhenItsProcessDied() throws Exception {
    Path copy = directory.resolve("copy");
    Path original = directory.resolve("original");
    try (EmbeddedFixture embedded = start(original)) {
      embedded.push(JOBS, "ran", "waited", "was done");
      List<RawDelivery> deliveries = deliveries(embedded, JOBS, 3);
      deliveries.get(0).begin();
      deliveries.get(2).begin();
      settle(deliveries.get(2), ACKNOWLEDGE);
      copyAsIfKilled(original, copy);
    }
    try (EmbeddedFixture embedded = start(copy)) {
      List<RawDelivery> deliveries = deliveries(embedded, JOBS, 2);
      assertThat(texts(deliveries)).containsExactly("ran", "waited");
      assertThat(deliveries).extracting(RawDelivery::losses).containsExactly(1, 0);
    }
  }

  private static void copyAsIfKilled(Path from, Path to) throws IOException {
    Files.createDirectory(to);
    for (String name : List.of("store.mv", "marks")) {
      Files.copy(from.resolve(name), to.resolve(name));
    }
  }

  @Test
  void aRestartInTheMiddleLosesNothingAndRepeatsNothing() throws Exception {
    WorkQueue<String> queue = WorkQueue.of("jobs", Codecs.utf8());
    EmbeddedEngine engine = EmbeddedEngine.builder().directory(directory).build();
    LinkedBlockingQueue<String> handled = new LinkedBlockingQueue<>();
    List<String> pushed = new ArrayList<>();
    CountDownLatch some = new CountDownLatch(100);
    try (Messaging messaging = Messaging.on(engine)) {
      for (int i = 0; i < 300; i++) {
        pushed.add("job " + i);
        messaging.push(queue, "job " + i).get(30, TimeUnit.SECONDS);
      }
      messaging.pull(queue, job -> {
        handled.add(job.payload());
        some.countDown();
      });
      assertThat(some.await(30, TimeUnit.SECONDS)).isTrue();
      assertThat(messaging.stop(Duration.ofSeconds(30)).toString()).isNotEmpty();
    }
    try (Messaging messaging = Messaging.on(engine)) {
      messaging.pull(queue, job -> handled.add(job.payload()));
      Waiting.until(() -> handled.size() >= 300);
    }
    assertThat(handled).containsExactlyInAnyOrderElementsOf(pushed);
    try (EmbeddedFixture embedded = start()) {
      assertThat(embedded.status("jobs").waiting()).isZero();
    }
  }
}
