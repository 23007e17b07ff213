package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.testing.JavaProcess;
import java.io.BufferedReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;

/** Queues that are ordered by key, on a consumer group. */
@ResourceLock(providers = DisturbedNode.class)
class KafkaOrderedTest {
  private static final Duration PATIENCE = Duration.ofSeconds(40);
  private static final int KEYS = 12;

  private final List<Messaging> open = new ArrayList<>();
  private final List<String> handled = new CopyOnWriteArrayList<>();
  private final Set<String> running = ConcurrentHashMap.newKeySet();
  private final List<String> wrong = new CopyOnWriteArrayList<>();
  private KafkaNode node;
  private Messaging messaging;

  @BeforeEach
  void open() throws Exception {
    node = KafkaUnderTest.disturbedNode();
    messaging = messaging();
  }

  @AfterEach
  void close() {
    open.forEach(Messaging::close);
  }

  private Messaging messaging() throws Exception {
    Messaging opened = Messaging.builder(KafkaUnderTest.Open.engine(node.servers()))
        .stopTimeout(Duration.ofSeconds(2))
        .start();
    open.add(opened);
    return opened;
  }

  private static WorkQueue<String> queue(Redelivery redelivery) {
    return queue("ordered-" + UUID.randomUUID(), redelivery);
  }

  private static WorkQueue<String> queue(String name, Redelivery redelivery) {
    return WorkQueue.builder(name, Codecs.utf8())
        .ordered(true)
        .redelivery(redelivery)
        .build();
  }

  private void push(WorkQueue<String> queue, String key, String payload) {
    get(messaging.pushMessage(queue, Message.of(payload).withKey(key)));
  }

  private static <T> T get(CompletionStage<T> stage) {
    return stage.toCompletableFuture().orTimeout(20, TimeUnit.SECONDS).join();
  }

  private static void await(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - end).as(what).isNegative();
      LockSupport.parkNanos(2_000_000);
    }
  }

  /** Notes a call, and whether another one of its key runs. */
  private void note(Delivery<String> job) {
    String key = job.message().key().orElseThrow();
    if (!running.add(key)) {
      wrong.add("two at once of key " + key);
    }
    LockSupport.parkNanos(200_000);
    handled.add(job.payload());
    running.remove(key);
  }

  private List<String> handledOf(String key) {
    return handled.stream()
        .filter(each -> each.startsWith(key + '-'))
        .distinct()
        .toList();
  }

  private static List<String> numbered(String key, int count) {
    return IntStream.range(0, count).mapToObj(i -> key + '-' + i).toList();
  }

  private QueueStatus status(WorkQueue<?> queue) {
    return get(messaging.queues()).stream()
        .filter(each -> each.name().equals(queue.name()))
        .findFirst()
        .orElseThrow();
  }

  private List<DeadLetter> letters(WorkQueue<?> queue) {
    return get(messaging.deadLetters(queue).peek(100));
  }

  @Test
  void keysKeepTheirOrderWhileWorkersComeAndGo() throws Exception {
    WorkQueue<String> queue = queue(Redelivery.immediate(3));
    messaging.declare(queue);
    Messaging other = messaging();
    other.worker(queue).concurrency(4).start(this::note);
    int each = 40;
    for (int i = 0; i < each; i++) {
      List<CompletableFuture<Void>> pushed = new ArrayList<>();
      for (int key = 0; key < KEYS; key++) {
        String name = "k" + key;
        pushed.add(messaging.pushMessage(queue, Message.of(name + '-' + i).withKey(name)));
      }
      pushed.forEach(KafkaOrderedTest::get);
      if (i % 10 == 5) { // with the next ones a further worker comes, or goes
        int before = handled.size();
        Messaging coming = messaging();
        Subscription worker = coming.worker(queue).concurrency(4).start(this::note);
        await(
            "the next ones", () -> handled.size() > before || worker.counters().acknowledged() > 0);
        coming.close();
      }
    }
    await("all", () -> Set.copyOf(handled).size() == KEYS * each);
    for (int key = 0; key < KEYS; key++) {
      assertThat(handledOf("k" + key)).isEqualTo(numbered("k" + key, each));
    }
    assertThat(wrong).isEmpty();
    assertThat(handled).hasSize(KEYS * each);
    assertThat(letters(queue)).isEmpty();
    await("nothing waits", () -> status(queue).waiting() + status(queue).inFlight() == 0);
    assertThat(status(queue).consumers()).isEqualTo(1);
  }

  @Test
  void countIsExact() throws Exception {
    for (int most : new int[] {1, 2, 5}) {
      WorkQueue<String> queue = queue(Redelivery.constant(most, Duration.ofMillis(20)));
      messaging.worker(queue).concurrency(3).start(job -> {
        handled.add(job.payload());
        throw new IllegalStateException("always");
      });
      for (int i = 0; i < 9; i++) {
        push(queue, "key" + i % 3, most + "/" + i);
      }
      await("dead letters", () -> letters(queue).size() == 9);
      assertThat(letters(queue)).allMatch(each -> each.deliveryCount() == most);
      for (int i = 0; i < 9; i++) {
        String job = most + "/" + i;
        assertThat(handled.stream().filter(job::equals)).hasSize(most);
      }
      await("nothing waits", () -> status(queue).waiting() + status(queue).delayed() == 0);
    }
  }

  @Test
  void delayHoldsItsKeyAndOutlivesItsWorker() throws Exception {
    WorkQueue<String> queue = queue(Redelivery.constant(3, Duration.ofMinutes(5)));
    messaging.declare(queue);
    for (String payload : List.of("a-0", "b-0", "a-1", "b-1")) {
      push(queue, payload.substring(0, 1), payload);
    }
    for (int round = 0; round < 2; round++) {
      try (Messaging worker = messaging()) {
        worker.worker(queue).concurrency(4).prefetch(16).start(job -> {
          handled.add(job.payload());
          if (job.payload().equals("a-0")) {
            throw new IllegalStateException("once");
          }
        });
        String last = "b-" + (round + 1);
        await(last, () -> handled.contains(last));
        await("a delay", () -> status(queue).delayed() == 1);
        if (round == 0) {
          push(queue, "b", "b-2");
        }
      }
    }
    assertThat(handled).containsExactlyInAnyOrder("a-0", "b-0", "b-1", "b-2");
    assertThat(status(queue).waiting()).isEqualTo(1);
  }

  @Test
  void stopGivesBackWithoutCounting() throws Exception {
    WorkQueue<String> queue = queue(Redelivery.immediate(1));
    messaging.declare(queue);
    List<Integer> counts = new CopyOnWriteArrayList<>();
    for (int round = 0; round < 3; round++) {
      try (Messaging stopped = messaging()) {
        Subscription worker = stopped.worker(queue).concurrency(2).start(this::note);
        worker.pause();
        if (round == 0) {
          numbered("a", 5).forEach(each -> push(queue, "a", each));
        }
        await("one is handed out", () -> status(queue).consumers() == 1);
      }
    }
    messaging.worker(queue).start(job -> {
      counts.add(job.deliveryCount());
      note(job);
    });
    await("all", () -> handled.size() == 5);
    assertThat(handled).isEqualTo(numbered("a", 5));
    assertThat(counts).containsOnly(1);
    assertThat(letters(queue)).isEmpty();
  }

  @Test
  void killedWorkerCountsForWhatItHandledAndForNothingElse() throws Exception {
    WorkQueue<String> once = queue(Redelivery.immediate(1));
    WorkQueue<String> twice = queue(Redelivery.immediate(2));
    Map<String, Integer> counts = new ConcurrentHashMap<>();
    for (WorkQueue<String> queue : List.of(once, twice)) {
      messaging.declare(queue);
      numbered("a", 3).forEach(each -> push(queue, "a", each));
    }
    Process victim =
        JavaProcess.start(Victim.class, node.servers(), once.name() + ":1", twice.name() + ":2");
    try (BufferedReader lines = JavaProcess.output(victim)) {
      int held = 0;
      while (held < 2) {
        String line = lines.readLine();
        assertThat(line).isNotNull();
        held += line.startsWith("holds a-0") ? 1 : 0;
      }
    } finally {
      victim.destroyForcibly();
    }
    for (WorkQueue<String> queue : List.of(once, twice)) {
      messaging.worker(queue).concurrency(4).prefetch(8).start(job -> {
        counts.put(queue.name() + job.payload(), job.deliveryCount());
        note(job);
      });
    }
    await("all", () -> counts.size() == 5);
    await("the dead letter", () -> letters(once).size() == 1);
    assertThat(counts)
        .doesNotContainKey(once.name() + "a-0") // it was called once
        .containsEntry(once.name() + "a-1", 1)
        .containsEntry(once.name() + "a-2", 1)
        .containsEntry(twice.name() + "a-0", 2)
        .containsEntry(twice.name() + "a-1", 1)
        .containsEntry(twice.name() + "a-2", 1);
    assertThat(letters(once)).allMatch(each -> each.deliveryCount() == 1);
    assertThat(letters(twice)).isEmpty();
  }

  @Test
  void partitionMovesWhenItsCallsHaveEnded() throws Exception {
    WorkQueue<String> queue = queue(Redelivery.immediate(1));
    CountDownLatch release = new CountDownLatch(1);
    messaging.worker(queue).concurrency(KEYS).start(job -> {
      release.await(20, TimeUnit.SECONDS);
      note(job);
    });
    for (int i = 0; i < 3; i++) {
      for (int key = 0; key < KEYS; key++) {
        push(queue, "k" + key, "k" + key + '-' + i);
      }
    }
    await("calls", () -> status(queue).inFlight() == KEYS);
    List<String> elsewhere = new CopyOnWriteArrayList<>();
    messaging().worker(queue).concurrency(KEYS).start(job -> {
      elsewhere.add(job.payload());
      note(job);
    });
    await("another member", () -> status(queue).consumers() == 2);
    assertThat(elsewhere).isEmpty();
    release.countDown();
    await("all", () -> handled.size() == 3 * KEYS);
    for (int key = 0; key < KEYS; key++) {
      assertThat(handledOf("k" + key)).isEqualTo(numbered("k" + key, 3));
    }
    assertThat(wrong).isEmpty();
  }

  @Test
  void brokerIsRestarted() throws Exception {
    WorkQueue<String> queue = queue(Redelivery.immediate(5));
    messaging.worker(queue).concurrency(4).start(this::note);
    int each = 20;
    for (int i = 0; i < each; i++) {
      for (String key : List.of("a", "b", "c")) {
        push(queue, key, key + '-' + i);
      }
      if (i == each / 2) {
        node.kill();
        node.start();
      }
    }
    await("all", () -> Set.copyOf(handled).size() == 3 * each);
    for (String key : List.of("a", "b", "c")) {
      assertThat(handledOf(key)).isEqualTo(numbered(key, each));
    }
    assertThat(wrong).isEmpty();
    assertThat(letters(queue)).isEmpty();
  }

  @Test
  void groupIsOrdered() throws Exception {
    Topic<String> topic = Topic.of("ordered-" + UUID.randomUUID() + ".all", Codecs.utf8());
    WorkQueue<String> group = topic.groupBuilder("group").ordered(true).build();
    messaging.declare(group);
    Subscription worker = messaging.worker(group).concurrency(4).start(this::note);
    for (String payload : numbered("a", 10)) {
      get(messaging.publishMessage(topic, Message.of(payload).withKey("a")));
    }
    await("all", () -> handled.size() == 10);
    assertThat(handled).isEqualTo(numbered("a", 10));
    worker.close();
    get(messaging.delete(group));
    assertThat(get(messaging.queues()))
        .noneMatch(each -> each.source().filter(topic.name()::equals).isPresent());
  }

  @Test
  void orderIsNotChangedByARedeclaration() throws Exception {
    WorkQueue<String> queue = queue(Redelivery.immediate(2));
    messaging.declare(queue);
    assertThatThrownBy(() -> messaging.redeclare(WorkQueue.of(queue.name(), Codecs.utf8())))
        .isInstanceOf(UnsupportedSettingException.class)
        .hasMessageContaining("ordered: false (expected: true")
        .hasMessageContaining(queue.name());
    messaging.redeclare(queue(queue.name(), Redelivery.immediate(3)));
  }

  /** A process that holds the first message of each queue until it is killed. */
  static final class Victim {
    private Victim() {}

    public static void main(String[] args) throws Exception {
      Messaging messaging = Messaging.on(KafkaUnderTest.Open.engine(args[0]));
      CountDownLatch never = new CountDownLatch(1);
      for (String each : List.of(args).subList(1, args.length)) {
        String[] parts = each.split(":", -1);
        WorkQueue<String> queue = queue(parts[0], Redelivery.immediate(Integer.parseInt(parts[1])));
        messaging.worker(queue).concurrency(4).prefetch(8).start(job -> {
          System.out.println("holds " + job.payload());
          never.await();
        });
      }
      never.await();
    }
  }
}
