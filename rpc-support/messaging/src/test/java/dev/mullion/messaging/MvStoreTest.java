package dev.mullion.messaging;

import static dev.mullion.messaging.StoreJobs.add;
import static dev.mullion.messaging.StoreJobs.job;
import static dev.mullion.messaging.StoreJobs.letter;
import static dev.mullion.messaging.StoreJobs.queue;
import static dev.mullion.messaging.StoreJobs.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.Store.Contents;
import dev.mullion.messaging.Store.Job;
import dev.mullion.messaging.Store.Step;
import dev.mullion.messaging.engine.Route;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MvStoreTest {
  private final ManualClock clock = new ManualClock();

  @TempDir
  Path directory;

  private MvStore open() throws StoreException {
    return MvStore.open(directory, clock);
  }

  private static void apply(Store store, Step... steps) throws Exception {
    await(store.apply(List.of(steps)));
  }

  private static void await(CompletionStage<Void> stage) throws Exception {
    stage.toCompletableFuture().get(30, TimeUnit.SECONDS);
  }

  @Test
  void keepsQueuesJobsAndDeadLetters() throws Exception {
    Route.Queue group = new Route.Queue(
        "archive",
        Optional.of("prices.*"),
        new Redelivery(7, Duration.ofMillis(1500), 1.5, Duration.ofHours(2)),
        Duration.ofNanos(1_000_000_001),
        true,
        Long.MAX_VALUE,
        123,
        Overflow.DROP_OLDEST,
        17,
        Duration.ofDays(30));
    Job kept = new Job(7, 1, 2, 0, 99_000, 4, "key-é");
    try (MvStore store = open()) {
      assertThat(store.load()).isEmpty();
      apply(store, new Step.Declare(queue(0, "orders")));
      apply(store, new Step.Declare(new Store.StoredQueue(1, group)));
      apply(store, add(0, 3, "three"), add(0, 1, "one"), add(0, 2, "two"));
      apply(store, new Step.AddJob(1, kept, "prices.gold", Message.of(new byte[4])));
      apply(store, new Step.AddDeadLetter(0, 5, "orders", letter("dead")));
      apply(store, new Step.RemoveJob(0, 2));
    }
    try (MvStore store = open()) {
      List<Contents> all = store.load();
      assertThat(all).hasSize(2);
      assertThat(all.get(0).queue()).isEqualTo(queue(0, "orders"));
      assertThat(all.get(0).jobs()).containsExactly(job(1, 3), job(3, 5));
      assertThat(all.get(0).deadLetters()).containsExactly(5L);
      assertThat(all.get(1).queue().declaration()).isEqualTo(group);
      assertThat(all.get(1).jobs()).containsExactly(kept);
      assertThat(text(store.readJob(0, 3))).isEqualTo("three");
      assertThat(store.readJob(1, 7).address()).isEqualTo("prices.gold");
      assertThat(store.readDeadLetter(0, 5).address()).isEqualTo("orders");
      assertThat(store.readDeadLetter(0, 5).letter())
          .usingRecursiveComparison()
          .ignoringFields("original")
          .isEqualTo(letter("dead"));
      assertThatThrownBy(() -> store.readJob(0, 2))
          .isInstanceOf(StoreException.class)
          .hasMessage(directory.toRealPath().resolve("store.mv") + " has no message 2 of queue 0");
    }
  }

  @Test
  void keepsAllOfAMessage() throws Exception {
    Map<String, String> headers = new LinkedHashMap<>();
    headers.put("z", "");
    headers.put("", "ü€😀");
    headers.put("a", "x".repeat(8192));
    Message<byte[]> message = Message.of("größe".getBytes(StandardCharsets.UTF_8))
        .withId("id-1")
        .withKey("k")
        .withContentType("text/plain")
        .withCorrelationId("c")
        .withTimestamp(Instant.ofEpochMilli(-5))
        .withTimeToLive(Duration.ofMillis(1234))
        .withHeaders(headers);
    Message<byte[]> bare = Message.of(new byte[1 << 20]);
    try (MvStore store = open()) {
      apply(store, new Step.Declare(queue(0, "orders")));
      apply(store, new Step.AddJob(0, job(1, 0), "a", message));
      apply(store, new Step.AddJob(0, job(2, 0), "a", bare));
    }
    try (MvStore store = open()) {
      assertSame(store.readJob(0, 1).message(), message);
      assertSame(store.readJob(0, 2).message(), bare);
    }
  }

  private static void assertSame(Message<byte[]> read, Message<byte[]> written) {
    assertThat(read.payload()).isEqualTo(written.payload());
    assertThat(read.id()).isEqualTo(written.id());
    assertThat(read.key()).isEqualTo(written.key());
    assertThat(read.contentType()).isEqualTo(written.contentType());
    assertThat(read.correlationId()).isEqualTo(written.correlationId());
    assertThat(read.timestamp()).isEqualTo(written.timestamp());
    assertThat(read.timeToLive()).isEqualTo(written.timeToLive());
    assertThat(List.copyOf(read.headers().entrySet()))
        .isEqualTo(List.copyOf(written.headers().entrySet()));
  }

  @Test
  void readsBeforeTheCommit() throws Exception {
    try (MvStore store = open()) {
      store.load();
      apply(store, new Step.Declare(queue(0, "orders")));
      for (int i = 0; i < 500; i++) {
        CompletionStage<Void> added = store.apply(List.of(
            add(0, i, "job " + i), new Step.AddDeadLetter(0, i, "orders", letter("dead " + i))));
        assertThat(text(store.readJob(0, i))).isEqualTo("job " + i);
        assertThat(store.readDeadLetter(0, i).letter().original().payload())
            .asString(StandardCharsets.UTF_8)
            .isEqualTo("dead " + i);
        await(added);
        assertThat(text(store.readJob(0, i))).isEqualTo("job " + i);
      }
    }
  }

  @Test
  void buriesAJobWithItsMessage() throws Exception {
    Instant died = Instant.ofEpochMilli(1_700_000_000_123L);
    Step.BuryJob bury = new Step.BuryJob(
        0, 1, 50, DeadLetter.Reason.DELIVERY_LIMIT, "oh no", 5, died.toEpochMilli());
    try (MvStore store = open()) {
      store.load();
      apply(store, new Step.Declare(queue(0, "orders")));
      CompletionStage<Void> done = store.apply(List.of(add(0, 1, "one"), bury));
      assertThat(store.readDeadLetter(0, 50).letter().error()).isEqualTo("oh no");
      await(done);
      apply(store, new Step.BuryJob(0, 9, 51, DeadLetter.Reason.EXPIRED, "", 1, 0)); // not there
    }
    try (MvStore store = open()) {
      Contents contents = store.load().get(0);
      assertThat(contents.jobs()).isEmpty();
      assertThat(contents.deadLetters()).containsExactly(50L);
      Store.StoredLetter read = store.readDeadLetter(0, 50);
      assertThat(read.address()).isEqualTo("address-0");
      assertThat(read.letter())
          .usingRecursiveComparison()
          .ignoringFields("original")
          .isEqualTo(new DeadLetter(
              Message.of(new byte[0]),
              "orders",
              DeadLetter.Reason.DELIVERY_LIMIT,
              "oh no",
              5,
              died));
      assertThat(read.letter().original().payload()).asString().isEqualTo("one");
      assertThatThrownBy(() -> store.readJob(0, 1)).isInstanceOf(StoreException.class);
    }
  }

  @Test
  void stepsForAQueueThatIsNotThereHaveNoEffect() throws Exception {
    try (MvStore store = open()) {
      store.load();
      apply(store, new Step.Declare(queue(0, "orders")), add(0, 1, "one"));
      apply(store, new Step.DeleteQueue(0), add(0, 2, "two"));
      apply(store, new Step.UpdateJob(0, job(1, 1, 0, 0)), new Step.RemoveJob(3, 1));
      apply(store, new Step.Declare(queue(0, "again")), add(0, 3, "three"));
      apply(store, new Step.UpdateJob(0, job(1, 1, 0, 0)), new Step.RemoveDeadLetter(0, 9));
    }
    try (MvStore store = open()) {
      Contents contents = store.load().get(0);
      assertThat(contents.queue()).isEqualTo(queue(0, "again"));
      assertThat(contents.jobs()).containsExactly(job(3, 5));
    }
  }

  @Test
  void dueTimesLieNoFurtherAheadThanTheirDelay() throws Exception {
    long now = clock.currentTimeMillis();
    try (MvStore store = open()) {
      store.load();
      apply(store, new Step.Declare(queue(0, "orders")), add(0, 1, "1"), add(0, 2, "2"));
      apply(store, new Step.UpdateJob(0, job(1, 1, 0, now + 700)));
      apply(store, new Step.UpdateJob(0, job(2, 3, 0, now + 86_400_000))); // the clock was a day on
    }
    try (MvStore store = open()) {
      assertThat(store.load().get(0).jobs())
          .containsExactly(job(1, 1, 0, now + 700), job(2, 3, 0, now + 4000));
    }
  }

  @Test
  void completesOnTheCommittingThread() throws Exception {
    try (MvStore store = open()) {
      store.load();
      CompletableFuture<String> name = new CompletableFuture<>();
      store
          .apply(List.of(new Step.Declare(queue(0, "orders"))))
          .thenRun(() -> name.complete(Thread.currentThread().getName()));
      assertThat(name.get(30, TimeUnit.SECONDS)).isIn("mullion-store", "main");
    }
  }

  @Test
  void closeCommitsWhatWasApplied() throws Exception {
    List<CompletableFuture<Void>> all = new ArrayList<>();
    MvStore store = open();
    store.load();
    store.apply(List.of(new Step.Declare(queue(0, "orders"))));
    for (int i = 0; i < 5000; i++) {
      all.add(store.apply(List.of(add(0, i, "x"))).toCompletableFuture());
    }
    store.close();
    store.close();
    assertThat(all).allMatch(done -> done.isDone() && !done.isCompletedExceptionally());
    assertThat(store.apply(List.of()).toCompletableFuture())
        .failsWithin(Duration.ofSeconds(1))
        .withThrowableThat()
        .withMessageContaining("store.mv is closed");
    try (MvStore again = open()) {
      assertThat(again.load().get(0).jobs()).hasSize(5000);
    }
  }

  @Test
  void anInterruptNeitherFailsNorClosesIt() throws Exception {
    try (MvStore store = open()) {
      Thread.currentThread().interrupt();
      store.load();
      CompletionStage<Void> added =
          store.apply(List.of(new Step.Declare(queue(0, "orders")), add(0, 1, "one")));
      for (int i = 0; i < 5000; i++) {
        store.begun(0, job(i, 0)); // more than fit: the file grows
      }
      assertThat(Thread.interrupted()).isTrue();
      await(added);
      Thread.currentThread().interrupt();
      assertThat(text(store.readJob(0, 1))).isEqualTo("one");
      assertThat(Thread.interrupted()).isTrue();
      apply(store, add(0, 2, "two"));
    }
    Thread.currentThread().interrupt();
    try (MvStore store = open()) {
      assertThat(Thread.interrupted()).isTrue();
      assertThat(store.load().get(0).jobs()).extracting(Job::losses).containsExactly(0, 0);
      assertThat(text(store.readJob(0, 1))).isEqualTo("one");
    }
  }

  /** Chunks are used again at once: no read may see another one's bytes. */
  @Test
  void readsWhileSpaceIsUsedAgain() throws Exception {
    try (MvStore store = open()) {
      store.load();
      apply(store, new Step.Declare(queue(0, "orders")));
      String text = "x".repeat(20_000); // no page cache keeps them all
      for (int i = 0; i < 1200; i++) {
        store.apply(List.of(add(0, i, i + text)));
      }
      apply(store);
      AtomicBoolean stop = new AtomicBoolean();
      List<CompletableFuture<Integer>> readers = new ArrayList<>();
      for (int n = 0; n < 3; n++) {
        int seed = n;
        readers.add(CompletableFuture.supplyAsync(
            () -> readAll(store, seed, text, stop), task -> new Thread(task).start()));
      }
      for (int i = 0; i < 30; i++) {
        apply(store, add(0, 10_000 + i, "y".repeat(50_000)), add(0, 20_000 + i, "z"));
        apply(store, new Step.RemoveJob(0, 10_000 + i));
      }
      stop.set(true);
      for (CompletableFuture<Integer> reader : readers) {
        assertThat(reader.get(30, TimeUnit.SECONDS)).isPositive();
      }
    }
  }

  private static int readAll(MvStore store, int seed, String text, AtomicBoolean stop) {
    Random random = new Random(seed);
    int reads = 0;
    while (!stop.get()) {
      int number = random.nextInt(1200);
      try {
        assertThat(text(store.readJob(0, number))).isEqualTo(number + text);
      } catch (MessagingException e) {
        throw new AssertionError(e);
      }
      reads++;
    }
    return reads;
  }

  @Test
  void theFileShrinksWhenDrained() throws Exception {
    String text = "x".repeat(1000);
    Path file = directory.resolve("store.mv");
    try (MvStore store = open()) {
      store.load();
      apply(store, new Step.Declare(queue(0, "orders")));
      for (int i = 0; i < 20_000; i++) {
        store.apply(List.of(add(0, i, text)));
      }
      apply(store, add(0, 20_000, text));
      assertThat(Files.size(file)).isGreaterThan(20_000_000);
      for (int i = 0; i <= 20_000; i++) {
        store.apply(List.of(new Step.RemoveJob(0, i)));
      }
      apply(store);
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
      while (Files.size(file) > 2_000_000 && System.nanoTime() < deadline) {
        Thread.onSpinWait();
      }
      assertThat(Files.size(file)).isLessThan(2_000_000);
    }
  }
}
