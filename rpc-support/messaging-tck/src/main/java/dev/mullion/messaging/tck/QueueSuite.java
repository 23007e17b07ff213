package dev.mullion.messaging.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.ConflictingDeclarationException;
import dev.mullion.messaging.Guarantees.Capacity;
import dev.mullion.messaging.Guarantees.GiveBack;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.QueueFullException;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.StopReport;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Push-pull: bounds, pauses, dead letters and declarations; cases 38 to 41, 43, 44 and 47. */
public abstract class QueueSuite extends EngineSuite {
  private final CountDownLatch release = new CountDownLatch(1);

  /** Creates the suite. */
  protected QueueSuite() {}

  @EachHandlerKind
  @DisplayName("38. a worker that is closed gives back at once what it had fetched, uncounted")
  void closeGivesBack(HandlerKind kind) throws Exception {
    WorkQueue<String> queue = queue();
    Messaging messaging = messaging();
    List<String> sent = numbered("", 20);
    pushAll(messaging, queue, sent);
    Received<String> first = received();
    Subscription closing =
        ready(kind.start(messaging.worker(queue).prefetch(10), held(first, release)));
    first.awaitSize(1);
    await(
        "messages fetched ahead",
        () -> closing.counters().buffered() >= 9,
        () -> closing.counters());
    CompletableFuture<StopReport> stopping =
        CompletableFuture.supplyAsync(() -> closing.stop(Duration.ofSeconds(10)));
    Received<String> second = received();
    ready(messaging().pull(queue, second));
    List<String> others = new ArrayList<>(sent);
    others.remove(first.payloads().get(0));
    second.awaitAll(others);
    release.countDown();
    StopReport report = get(stopping);
    assertEquals(1, report.finished(), report.toString());
    assertTrue(report.givenBack() >= 9, report.toString());
    assertEquals(0, report.interrupted(), report.toString());
    second.awaitExactly(others);
    first.staysAt(1);
    if (queues().giveBack() == GiveBack.UNCOUNTED) {
      assertFirstDeliveries(second);
    }
  }

  @EachHandlerKind
  @DisplayName("39. pause: no further handler starts; resume: all that waited is handled")
  void pauseAndResume(HandlerKind kind) throws Exception {
    WorkQueue<String> queue = queue();
    Messaging messaging = messaging();
    Received<String> received = received();
    Subscription worker = ready(kind.start(messaging.worker(queue).prefetch(4), received));
    get(messaging.push(queue, "before"));
    received.awaitAll(List.of("before"));
    received.awaitQuiet();
    int before = received.size();
    worker.pause();
    assertTrue(worker.isPaused());
    List<String> sent = numbered("", 20);
    pushAll(messaging, queue, sent);
    received.staysAt(before);
    worker.resume();
    assertFalse(worker.isPaused());
    List<String> all = new ArrayList<>(sent);
    all.add("before");
    received.awaitExactly(all);
  }

  @EachHandlerKind
  @DisplayName("40. a worker holds no more than prefetch and what it handles")
  void prefetch(HandlerKind kind) throws Exception {
    for (int prefetch : new int[] {0, 1, 7}) {
      WorkQueue<String> queue = queue();
      Messaging messaging = messaging();
      CountDownLatch released = new CountDownLatch(1);
      List<String> sent = numbered("", 30);
      pushAll(messaging, queue, sent);
      Received<String> received = received();
      Subscription worker = ready(kind.start(
          messaging.worker(queue).concurrency(2).prefetch(prefetch), held(received, released)));
      received.awaitSize(2);
      long most = prefetch + 2L;
      long extra = profile().allowedDuplicates((int) most);
      holds(
          "at most " + most + " held",
          () -> status(messaging, queue).inFlight() <= most + extra
              && worker.counters().buffered() <= prefetch + extra
              && worker.counters().inFlight() <= 2,
          () -> status(messaging, queue) + ", " + worker.counters());
      released.countDown();
      received.awaitExactly(sent);
    }
  }

  @EachHandlerKind
  @DisplayName("41. concurrency n: n handlers run at once, never more")
  void concurrency(HandlerKind kind) throws Exception {
    WorkQueue<String> queue = queue();
    Messaging messaging = messaging();
    List<String> sent = numbered("", profile().scaled(300));
    AtomicInteger running = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    Received<String> received = received();
    ready(kind.start(messaging.worker(queue).concurrency(5), delivery -> {
      most.accumulateAndGet(running.incrementAndGet(), Math::max);
      received.add(delivery);
      if (received.size() <= 5) {
        release.await(20, TimeUnit.SECONDS);
      }
      running.decrementAndGet();
    }));
    pushAll(messaging, queue, sent);
    received.awaitSize(5);
    received.staysAt(5);
    release.countDown();
    received.awaitExactly(sent);
    assertEquals(5, most.get());
  }

  @Test
  @DisplayName("43. capacity with BLOCK: a push waits for room up to sendTimeout, then fails")
  void capacityBlocks() throws Exception {
    WorkQueue<String> queue = queueOfTen(Overflow.BLOCK);
    Messaging brief = messaging(builder -> builder.sendTimeout(Duration.ofMillis(200)));
    List<String> accepted = fill(brief, queue);
    // One that waits for longer than the first is in time for the room that a worker makes.
    Messaging patient = messaging();
    CompletableFuture<Void> waiting = patient.push(queue, "waited");
    Received<String> received = received();
    ready(patient.pull(queue, received));
    get(waiting);
    accepted.add("waited");
    received.awaitExactly(accepted);
  }

  @Test
  @DisplayName("43. capacity with FAIL: the push fails at once, with the numbers")
  void capacityFails() throws Exception {
    WorkQueue<String> queue = queueOfTen(Overflow.FAIL);
    Messaging messaging = messaging(builder -> builder.sendTimeout(Duration.ofMinutes(1)));
    List<String> accepted = fill(messaging, queue);
    Received<String> received = received();
    ready(messaging.pull(queue, received));
    received.awaitExactly(accepted);
  }

  /** Pushes until the queue is full, and returns what was accepted. */
  private List<String> fill(Messaging messaging, WorkQueue<String> queue) {
    List<String> accepted = new ArrayList<>();
    long slack = capacitySlack();
    long start = System.nanoTime();
    for (int i = 0; i <= 10 + slack; i++) {
      start = System.nanoTime();
      CompletableFuture<Void> push = messaging.push(queue, "job" + i);
      if (i < 10 || (i < 10 + slack && isAccepted(push))) {
        get(push);
        accepted.add("job" + i);
      } else {
        assertText(failure(QueueFullException.class, push), 10, queue.name());
        break;
      }
    }
    long took = System.nanoTime() - start;
    Duration most = profile().instant().plusMillis(queue.overflow() == Overflow.BLOCK ? 200 : 0);
    assertTrue(took <= most.toNanos(), "failed after " + took / 1_000_000 + " ms");
    return accepted;
  }

  private boolean isAccepted(CompletableFuture<Void> push) {
    await("an answer", push::isDone, () -> push);
    return !push.isCompletedExceptionally();
  }

  @Test
  @DisplayName("43. capacity with DROP_OLDEST keeps the newest, with DROP_NEWEST the oldest")
  void capacityDrops() throws Exception {
    for (Overflow overflow : List.of(Overflow.DROP_OLDEST, Overflow.DROP_NEWEST)) {
      WorkQueue<String> queue = queueOfTen(overflow);
      Messaging messaging = messaging();
      List<String> sent = numbered("", 25);
      for (String job : sent) {
        get(messaging.push(queue, job));
      }
      long slack = capacitySlack();
      QueueStatus status = status(messaging, queue);
      assertTrue(status.waiting() >= 10 && status.waiting() <= 10 + slack, status.toString());
      assertEquals(25, status.dropped() + status.waiting(), status.toString());
      Received<String> received = received();
      ready(messaging.pull(queue, received));
      if (slack == 0) {
        received.awaitExactly(
            overflow == Overflow.DROP_OLDEST ? sent.subList(15, 25) : sent.subList(0, 10));
      } else {
        received.awaitAtMost(sent);
      }
    }
  }

  @Test
  @DisplayName("43. a capacity in bytes holds back as a number of messages does")
  void capacityInBytes() throws Exception {
    assumeOverflow(Overflow.FAIL);
    WorkQueue<String> queue =
        queueBuilder().capacityBytes(1000).overflow(Overflow.FAIL).build();
    Messaging messaging = messaging();
    String job = "x".repeat(400);
    get(messaging.push(queue, job));
    get(messaging.push(queue, job));
    if (queues().capacity() == Capacity.HARD) {
      failure(QueueFullException.class, messaging.push(queue, job));
      Received<String> received = received();
      ready(messaging.pull(queue, received));
      received.awaitExactly(List.of(job, job));
    }
  }

  private long capacitySlack() {
    return queues().capacity() == Capacity.HARD ? 0 : profile().capacitySlack();
  }

  /** Returns a queue for ten messages, or skips the case. */
  private WorkQueue<String> queueOfTen(Overflow overflow) throws Exception {
    assumeOverflow(overflow);
    return queueBuilder().capacity(10).overflow(overflow).build();
  }

  private void assumeOverflow(Overflow overflow) throws Exception {
    if (queues().capacity() == Capacity.NONE || !queues().overflows().contains(overflow)) {
      WorkQueue<String> refused = queueBuilder().capacity(10).overflow(overflow).build();
      Messaging messaging = messaging();
      assertThrows(UnsupportedSettingException.class, () -> messaging.declare(refused));
    }
    assume(queues().capacity() != Capacity.NONE, "capacity", queues().capacity());
    assume(queues().overflows().contains(overflow), "overflows", queues().overflows());
  }

  @Test
  @DisplayName(
      "44. peek takes nothing; redrive starts at a count of 1, oldest first; purge deletes")
  void redrive() throws Exception {
    Messaging messaging = messaging();
    WorkQueue<String> queue = queue(2);
    Subscription failing = ready(messaging.pull(queue, delivery -> {
      throw new IllegalStateException("fails");
    }));
    List<String> sent = numbered("", 5);
    for (int i = 0; i < 5; i++) {
      get(messaging.push(queue, sent.get(i)));
      awaitDeadLetters(messaging, queue, i + 1);
    }
    failing.close();
    assertEquals(List.of("0", "1", "2"), peek(messaging, queue, 3));
    assertEquals(sent, peek(messaging, queue, 100));
    assertEquals(5, deadLetters(messaging, queue));
    long purged = get(messaging.deadLetters(queue).purge(letter -> text(letter).equals("2")));
    assertEquals(1, purged);
    assertEquals(2, get(messaging.deadLetters(queue).redrive(2, letter -> true)));
    assertEquals(List.of("3", "4"), peek(messaging, queue, 10));
    assertEquals(
        1, get(messaging.deadLetters(queue).redrive(10, letter -> text(letter).equals("4"))));
    Received<String> received = received();
    ready(messaging.worker(queue).prefetch(0).start(received));
    received.awaitExactly(List.of("0", "1", "4"));
    assertFirstDeliveries(received);
    if (!profile().reorders()) {
      assertEquals(List.of("0", "1", "4"), received.distinct());
    }
    assertEquals(1, get(messaging.deadLetters(queue).purge(letter -> true)));
    assertEquals(0, deadLetters(messaging, queue));
  }

  @Test
  @DisplayName("44. redrive of a group's dead letters goes to the group, not to its topic")
  void redriveOfGroup() throws Exception {
    Messaging messaging = messaging();
    Topic<String> topic = topic();
    WorkQueue<String> group =
        topic.groupBuilder("group").redelivery(Redelivery.immediate(1)).build();
    Received<String> live = received();
    Received<String> other = received();
    ready(messaging.subscribe(topic, live));
    ready(messaging.pull(topic.group("other"), other));
    Subscription failing = ready(messaging.pull(group, delivery -> {
      throw new IllegalStateException("fails");
    }));
    get(messaging.publish(topic, "message"));
    awaitDeadLetters(messaging, group, 1);
    failing.close();
    assertEquals(1, get(messaging.deadLetters(group).redrive(10, letter -> true)));
    Received<String> received = received();
    ready(messaging.pull(group, received));
    received.awaitExactly(List.of("message"));
    assertEquals(topic.name(), received.entries().get(0).address());
    live.awaitExactly(List.of("message"));
    other.awaitExactly(List.of("message"));
  }

  private List<String> peek(Messaging messaging, WorkQueue<String> queue, int max) {
    return get(messaging.deadLetters(queue).peek(max)).stream()
        .map(EngineSuite::text)
        .toList();
  }

  @Test
  @DisplayName("47. another declaration of a queue or group is rejected with both values")
  void conflictingDeclaration() throws Exception {
    Messaging one = messaging();
    Messaging two = messaging();
    Topic<String> topic = topic();
    for (WorkQueue<String> queue : List.of(queue(), topic.group("group"))) {
      WorkQueue<String> other = declaredOtherwise(queue);
      one.declare(queue);
      one.declare(queue);
      two.declare(queue);
      assertBothValues(
          queue, assertThrows(ConflictingDeclarationException.class, () -> two.declare(other)));
      assertBothValues(
          queue,
          assertThrows(
              ConflictingDeclarationException.class, () -> two.pull(other, delivery -> {})));
      two.redeclare(other);
      messaging().declare(other);
      assertThrows(ConflictingDeclarationException.class, () -> messaging().declare(queue));
    }
  }

  @Test
  @DisplayName("47. a push with another declaration fails with both values")
  void conflictingPush() throws Exception {
    WorkQueue<String> queue = queue();
    messaging().declare(queue);
    WorkQueue<String> other = declaredOtherwise(queue);
    Messaging two = messaging();
    assertBothValues(queue, failure(ConflictingDeclarationException.class, two.push(other, "job")));
    Received<String> received = received();
    ready(messaging()
        .pull(
            WorkQueue.builder(queue.name(), Codecs.utf8())
                .redelivery(queue.redelivery())
                .build(),
            received));
    received.staysAt(0);
  }

  private static WorkQueue<String> declaredOtherwise(WorkQueue<String> queue) {
    return queue.toBuilder()
        .redelivery(Redelivery.constant(17, Duration.ofSeconds(3)))
        .build();
  }

  private static void assertBothValues(WorkQueue<?> queue, Throwable refused) {
    assertText(refused, queue.name(), queue.redelivery().maxDeliveries(), 17);
  }
}
