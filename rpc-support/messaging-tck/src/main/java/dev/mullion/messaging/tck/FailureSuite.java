package dev.mullion.messaging.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.Guarantees.GiveBack;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.RejectedMessageException;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.SubscriptionCounters;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.tck.EngineUnderTest.Killable;
import dev.mullion.messaging.tck.EngineUnderTest.MultiProcess;
import dev.mullion.messaging.tck.EngineUnderTest.Restartable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Failures that take the process, and leases: cases 26, 46, 73, 74 and 76. */
public abstract class FailureSuite extends EngineSuite {
  private static final int MAX = 3;

  /** Creates the suite. */
  protected FailureSuite() {}

  @EachHandlerKind
  @DisplayName("26. the count survives the stop of all workers")
  void countSurvivesStop(HandlerKind kind) throws Exception {
    WorkQueue<String> queue = RemoteWorker.queue(fresh("queue"), 10);
    failTwice(kind, queue);
    Messaging messaging = messaging();
    Received<String> received = received();
    ready(messaging.pull(queue, received));
    received.awaitExactly(List.of("job"));
    int count = received.entries().get(0).count();
    // What was about to be handed to the worker that stops counts, where giving back does.
    assertTrue(count == 3 || (count == 4 && queues().giveBack() == GiveBack.COUNTED), "" + count);
  }

  /** Pushes a job that fails twice, and closes the Messaging of its worker. */
  private void failTwice(HandlerKind kind, WorkQueue<String> queue) throws Exception {
    Messaging messaging = messaging();
    Received<String> received = received();
    CompletableFuture<Subscription> worker = new CompletableFuture<>();
    worker.complete(kind.start(messaging.worker(queue).prefetch(0), delivery -> {
      received.add(delivery);
      if (delivery.deliveryCount() == 2) {
        worker.join().pause(); // so the third delivery does not begin, however slow the machine is
      }
      throw new IllegalStateException("fails twice");
    }));
    ready(worker.join());
    get(messaging.pushMessage(queue, Message.of("job").withKey("key")));
    // The first delivery may come twice, where the profile has duplicates.
    await("the second failure", () -> hasFailedTwice(worker.join(), received), () -> received);
    messaging.stop(Duration.ofSeconds(2));
  }

  private static boolean hasFailedTwice(Subscription worker, Received<String> received) {
    List<Received.Entry<String>> entries = received.entries();
    return entries.stream().anyMatch(each -> each.count() == 2)
        && worker.counters().failed() >= entries.size();
  }

  @Test
  @DisplayName("26. the count survives a restart of the engine")
  void countSurvivesRestart() throws Exception {
    Restartable engine = capability(Restartable.class, "durability");
    WorkQueue<String> queue = RemoteWorker.queue(fresh("queue"), 10);
    failTwice(HandlerKind.BLOCKING, queue);
    closeAll();
    engine.stop();
    engine.start();
    assertCount(queue, "job", 3, 4);
  }

  @Test
  @DisplayName("26. the count is not below the failures after a kill of the engine")
  void countSurvivesKill() throws Exception {
    WorkQueue<String> queue = RemoteWorker.queue(fresh("queue"), 1000);
    if (underTest() instanceof MultiProcess engine && engine.exclusive()) {
      get(messaging().push(queue, "fail"));
      List<String> lines;
      try (RemoteProcess worker = leave(engine, queue, 1000, 1, 0)) {
        worker.awaitLine("begun fail 3");
        worker.kill();
        lines = worker.lines();
      }
      comeBack(engine);
      // It may have been killed between the end of a handler and that of its settlement.
      assertCount(queue, "fail", Math.max(3, count(lines, "failed")), count(lines, "begun") + 2);
    } else {
      Killable engine = capability(Killable.class, "durability");
      failTwice(HandlerKind.BLOCKING, queue);
      closeAll();
      engine.kill();
      engine.start();
      assertCount(queue, "job", 3, 4);
    }
  }

  @Test
  @DisplayName("26. a message whose worker is killed while handling it comes again, counted")
  void killOfWorkerCounts() throws Exception {
    MultiProcess engine = capability(MultiProcess.class, "durability");
    WorkQueue<String> queue = RemoteWorker.queue(fresh("queue"), 10);
    get(messaging().push(queue, "hold"));
    try (RemoteProcess worker = leave(engine, queue, 10, 1, 0)) {
      assertEquals("begun hold 1", worker.awaitLine("begun hold"));
    }
    comeBack(engine);
    assertCount(queue, "hold", 2, 3);
  }

  private void assertCount(WorkQueue<String> queue, String payload, int least, int most)
      throws Exception {
    Received<String> received = received();
    ready(messaging().pull(queue, received));
    received.awaitExactly(List.of(payload));
    Received.Entry<String> entry = received.entries().get(0);
    assertTrue(
        entry.count() >= least && entry.count() <= most,
        entry + " (expected: a count of " + least + " to " + most + ")");
  }

  /** Starts a worker in another process; stops the engine here first if only one can use it. */
  private RemoteProcess leave(
      MultiProcess engine, WorkQueue<String> queue, int max, int concurrency, int prefetch)
      throws Exception {
    closeAll();
    if (engine.exclusive()) {
      ((Restartable) engine).stop();
    }
    return new RemoteProcess(engine, queue.name(), max, concurrency, prefetch);
  }

  private void comeBack(MultiProcess engine) throws Exception {
    if (engine.exclusive()) {
      ((Restartable) engine).start();
    }
  }

  @Test
  @DisplayName("46. a poison that kills its process is a dead letter after maxDeliveries processes")
  void poison() throws Exception {
    MultiProcess engine = capability(MultiProcess.class, "durability");
    WorkQueue<String> queue = RemoteWorker.queue(fresh("queue"), MAX);
    get(messaging().push(queue, "poison"));
    get(messaging().push(queue, "good"));
    List<String> lines = killProcesses(engine, queue, 1, 0, List.of("good"));
    assertPoisonBuried(queue, lines);
  }

  @Test
  @DisplayName("74. a poison among others that were fetched: it dies, they are handled, each alone")
  void poisonAmongOthers() throws Exception {
    MultiProcess engine = capability(MultiProcess.class, "durability");
    WorkQueue<String> queue = RemoteWorker.queue(fresh("queue"), MAX);
    Messaging messaging = messaging();
    List<String> neighbours = numbered("good", 20);
    pushAll(messaging, queue, neighbours.subList(0, 10));
    get(messaging.push(queue, "poison"));
    pushAll(messaging, queue, neighbours.subList(10, 20));
    List<String> lines = killProcesses(engine, queue, 4, 16, neighbours);
    assertPoisonBuried(queue, lines);
    assertEquals(List.of(), starting(lines, "not alone"));
  }

  /** Starts workers until one survives and the others are handled; returns what all have told. */
  private List<String> killProcesses(
      MultiProcess engine,
      WorkQueue<String> queue,
      int concurrency,
      int prefetch,
      List<String> others)
      throws Exception {
    List<String> lines = new ArrayList<>();
    for (int process = 0; process < MAX; process++) {
      try (RemoteProcess worker = leave(engine, queue, MAX, concurrency, prefetch)) {
        worker.awaitDeath();
        List<String> told = worker.lines();
        assertEquals(1, count(told, "begun poison"), () -> "died of something else: " + told);
        lines.addAll(told);
      }
    }
    try (RemoteProcess survivor = leave(engine, queue, MAX, concurrency, prefetch)) {
      survivor.awaitLine("ready");
      survivor.awaitLines(
          told -> others.stream().allMatch(each -> isHandled(each, lines) || isHandled(each, told)),
          "handled for each of " + others);
      holds("a living worker", survivor::isAlive, survivor::lines);
      lines.addAll(survivor.lines());
    }
    comeBack(engine);
    return lines;
  }

  private static boolean isHandled(String job, List<String> lines) {
    return count(lines, "handled " + job + " ") > 0;
  }

  private static int count(List<String> lines, String start) {
    return starting(lines, start).size();
  }

  private static List<String> starting(List<String> lines, String start) {
    return lines.stream().filter(line -> line.startsWith(start)).toList();
  }

  private void assertPoisonBuried(WorkQueue<String> queue, List<String> lines) throws Exception {
    assertEquals(MAX, count(lines, "begun poison"));
    Messaging messaging = messaging();
    Received<String> rest = received();
    ready(messaging.pull(queue, rest));
    awaitDeadLetters(messaging, queue, 1);
    DeadLetter letter = get(messaging.deadLetters(queue).peek(5)).get(0);
    assertEquals("poison", text(letter));
    assertEquals(DeadLetter.Reason.DELIVERY_LIMIT, letter.reason());
    assertTrue(rest.payloads().stream().noneMatch("poison"::equals), rest::toString);
  }

  @EachHandlerKind
  @DisplayName("73. a message that waits under pause for longer than handlerTimeout is not counted")
  void pauseLongerThanTimeout(HandlerKind kind) throws Exception {
    Duration timeout = Duration.ofMillis(150);
    WorkQueue<String> queue = queue(1).toBuilder().handlerTimeout(timeout).build();
    Messaging messaging = messaging();
    List<String> sent = numbered("", 10);
    Received<String> received = received();
    Subscription worker = ready(kind.start(messaging.worker(queue).prefetch(10), received));
    worker.pause();
    pushAll(messaging, queue, sent);
    long end = System.nanoTime() + timeout.multipliedBy(3).toNanos();
    await("three timeouts passed", () -> System.nanoTime() - end > 0, () -> worker.counters());
    received.staysAt(0);
    long resumed = System.nanoTime();
    worker.resume();
    List<Long> handled = awaitHandled(worker, received, sent, resumed);
    assertNoneTookLonger(handled, queue, worker.counters());
    assertEquals(worker.counters().timedOut(), deadLetters(messaging, queue));
  }

  @EachHandlerKind
  @DisplayName("73. a message that waits in a buffer for longer than handlerTimeout is not counted")
  void bufferedLongerThanTimeout(HandlerKind kind) throws Exception {
    Duration timeout = Duration.ofMillis(600);
    WorkQueue<String> queue = queue(1).toBuilder().handlerTimeout(timeout).build();
    Messaging messaging = messaging();
    List<String> sent = numbered("", 10);
    pushAll(messaging, queue, sent);
    Received<String> received = received();
    CountDownLatch never = new CountDownLatch(1);
    long started = System.nanoTime();
    Subscription worker = ready(kind.start(messaging.worker(queue).prefetch(10), delivery -> {
      received.add(delivery);
      never.await(timeout.toMillis() / 8, TimeUnit.MILLISECONDS);
    }));
    List<Long> handled = awaitHandled(worker, received, sent, started);
    assertNoneTookLonger(handled, queue, worker.counters());
    assertEquals(worker.counters().timedOut(), deadLetters(messaging, queue));
  }

  /** Returns when handlers began, between {@code since} and when the last one had ended. */
  private List<Long> awaitHandled(
      Subscription worker, Received<String> received, List<String> sent, long since) {
    received.awaitAll(sent);
    await(
        "all handled",
        () -> worker.counters().acknowledged() + worker.counters().timedOut() >= sent.size(),
        worker::counters);
    List<Long> times = new ArrayList<>(List.of(since));
    received.entries().forEach(entry -> times.add(entry.nanos()));
    times.add(System.nanoTime());
    received.awaitExactly(sent);
    assertFirstDeliveries(received);
    return times;
  }

  /**
   * Checks that no handler was out of time unless the machine stalled. The worker handles one
   * message at a time: a handler had the time from the one before to the one after, at most.
   */
  private static void assertNoneTookLonger(
      List<Long> times, WorkQueue<String> queue, SubscriptionCounters counters) {
    long slow = IntStream.range(2, times.size())
        .filter(i -> times.get(i) - times.get(i - 2) >= queue.handlerTimeout().toNanos())
        .count();
    assertTrue(counters.timedOut() <= slow, () -> slow + " may have been slow: " + counters);
  }

  @Test
  @DisplayName("76. groups of one name on two topics, and a queue of that name, are apart")
  void sameGroupName() throws Exception {
    Messaging messaging = messaging();
    String name = fresh("same");
    Topic<String> one = topic();
    Topic<String> two = topic();
    WorkQueue<String> queue = WorkQueue.builder(name, Codecs.utf8())
        .redelivery(Redelivery.immediate(2))
        .build();
    List<WorkQueue<String>> all = List.of(
        one.groupBuilder(name).redelivery(Redelivery.immediate(1)).build(),
        two.groupBuilder(name).redelivery(Redelivery.immediate(1)).build(),
        queue);
    for (WorkQueue<String> each : all) {
      messaging.declare(each);
    }
    get(messaging.publish(one, "one"));
    get(messaging.publish(two, "two"));
    get(messaging.push(queue, "queue"));
    List<String> payloads = List.of("one", "two", "queue");
    for (int i = 0; i < 3; i++) {
      assertEquals(1, status(messaging, all.get(i)).waiting(), all.get(i).toString());
    }
    for (int i = 0; i < 3; i++) {
      Received<String> received = received();
      Subscription worker = ready(messaging.pull(all.get(i), delivery -> {
        received.add(delivery);
        throw new RejectedMessageException("to its own letters");
      }));
      received.awaitExactly(List.of(payloads.get(i)));
      awaitDeadLetters(messaging, all.get(i), 1);
      worker.close();
      for (int other = i + 1; other < 3; other++) {
        assertEquals(0, deadLetters(messaging, all.get(other)));
      }
    }
    get(messaging.delete(all.get(0)));
    assertEquals(1, deadLetters(messaging, all.get(1)));
    assertEquals(1, deadLetters(messaging, all.get(2)));
  }
}
