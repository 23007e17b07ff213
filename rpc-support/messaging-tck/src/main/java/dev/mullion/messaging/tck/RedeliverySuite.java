package dev.mullion.messaging.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mullion.messaging.Guarantees.GiveBack;
import dev.mullion.messaging.Guarantees.HeldBack;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.WorkerBuilder.BatchDelivery;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Push-pull: delays, timeouts, order over failures and batches; cases 31 to 37, 42 and 45. */
public abstract class RedeliverySuite extends EngineSuite {

  /** Creates the suite. */
  protected RedeliverySuite() {}

  @EachHandlerKind
  @DisplayName("31. a failed message comes again not before its delay, and not much later")
  void delay(HandlerKind kind) throws Exception {
    Duration delay = delayOf(200);
    WorkQueue<String> queue =
        queueBuilder().redelivery(Redelivery.constant(2, delay)).build();
    List<Long> times = failingTimes(kind, queue);
    assertGap(times, 0, delay);
  }

  @EachHandlerKind
  @DisplayName("33. delays grow by the multiplier, up to the greatest")
  void growingDelays(HandlerKind kind) throws Exception {
    Duration delay = delayOf(50);
    Redelivery growing = new Redelivery(4, delay, 2, delay.multipliedBy(3));
    WorkQueue<String> queue = queueBuilder().redelivery(growing).build();
    List<Long> times = failingTimes(kind, queue);
    assertGap(times, 0, delay);
    assertGap(times, 1, delay.multipliedBy(2));
    assertGap(times, 2, delay.multipliedBy(3));
  }

  /** Returns the times of the deliveries of a message that fails always. */
  private List<Long> failingTimes(HandlerKind kind, WorkQueue<String> queue) throws Exception {
    Received<String> received = failAlways(kind, messaging(), queue);
    List<Long> times = new ArrayList<>();
    for (int count = 1; count <= queue.redelivery().maxDeliveries(); count++) {
      int wanted = count;
      times.add(received.entries().stream()
          .filter(entry -> entry.count() == wanted)
          .mapToLong(Received.Entry::nanos)
          .findFirst()
          .orElseThrow(() -> new AssertionError("no delivery " + wanted + ": " + received)));
    }
    return times;
  }

  private void assertGap(List<Long> times, int index, Duration delay) {
    Duration gap = Duration.ofNanos(times.get(index + 1) - times.get(index));
    assertTrue(
        gap.plusMillis(1).compareTo(delay) >= 0 && gap.compareTo(latest(delay)) <= 0,
        "gap " + (index + 1) + " took " + gap + " (expected: " + delay + " to " + latest(delay)
            + ")");
  }

  private Duration latest(Duration delay) {
    return delay.plus(profile().delaySlack());
  }

  private Duration delayOf(long millis) {
    Duration delay = Duration.ofMillis(millis);
    Duration least = queues().leastDelay();
    return delay.compareTo(least) >= 0 ? delay : least;
  }

  @EachHandlerKind
  @DisplayName("32. the delay of one message does not hold back 100 others")
  void delayHoldsBackOneOnly(HandlerKind kind) throws Exception {
    Messaging messaging = messaging();
    WorkQueue<String> queue =
        queueBuilder().redelivery(Redelivery.constant(3, Duration.ofMinutes(5))).build();
    Received<String> received = received();
    ready(kind.start(messaging.worker(queue).prefetch(0), delivery -> {
      received.add(delivery);
      if (delivery.payload().equals("fails")) {
        throw new IllegalStateException("fails");
      }
    }));
    get(messaging.push(queue, "fails"));
    received.awaitAll(List.of("fails"));
    List<String> others = numbered("", profile().scaled(100));
    pushAll(messaging, queue, others);
    List<String> all = new ArrayList<>(others);
    all.add("fails");
    received.awaitExactly(all);
    assertEquals(1, status(messaging, queue).delayed());
  }

  @EachHandlerKind
  @DisplayName("34. a message whose worker went away during its delay comes again")
  void workerGoesInDelay(HandlerKind kind) throws Exception {
    Duration delay = delayOf(250);
    WorkQueue<String> queue =
        queueBuilder().redelivery(Redelivery.constant(3, delay)).build();
    Messaging first = messaging();
    Received<String> failed = received();
    Subscription worker = ready(kind.start(first.worker(queue), failing(failed, "fails")));
    get(first.push(queue, "job"));
    await(
        "a failure",
        () -> {
          if (worker.counters().failed() >= 1) {
            worker.pause(); // an engine may need longer than the delay to connect once more
            return true;
          }
          return false;
        },
        () -> worker.counters());
    Messaging second = messaging();
    Received<String> received = received();
    ready(second.pull(queue, received));
    first.stop(Duration.ofSeconds(2));
    received.awaitAll(List.of("job"));
    int count = received.entries().get(0).count();
    // Where giving back counts, what the first one was about to get when it stopped may count.
    boolean counted = queues().giveBack() == GiveBack.COUNTED;
    assertTrue(count == 2 || (counted && count == 3), "count " + count);
    assertGap(
        List.of(failed.entries().get(0).nanos(), received.entries().get(0).nanos()), 0, delay);
  }

  @EachHandlerKind
  @DisplayName(
      "35. handlerTimeout: another gets it while the first runs; the late return is ignored")
  void handlerTimeout(HandlerKind kind) throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    try {
      takenOver(kind, release);
    } finally {
      release.countDown();
    }
  }

  private void takenOver(HandlerKind kind, CountDownLatch release) throws Exception {
    Duration timeout = Duration.ofMillis(150);
    WorkQueue<String> queue = queueBuilder().handlerTimeout(timeout).build();
    Messaging messaging = messaging();
    Received<String> first = received();
    Received<String> second = received();
    Subscription slow = ready(kind.start(messaging.worker(queue).prefetch(0), delivery -> {
      first.add(delivery);
      if (delivery.payload().equals("slow")) {
        awaitUninterruptibly(release);
      }
    }));
    long pushed = System.nanoTime();
    get(messaging.push(queue, "slow"));
    first.awaitAll(List.of("slow"));
    Subscription quick = ready(messaging().pull(queue, second));
    second.awaitAll(List.of("slow"));
    assertEquals(2, second.entries().get(0).count());
    assertEquals(1, slow.counters().timedOut());
    awaitAcknowledged(quick, 1);
    quick.close();
    Received.checkTakenBack("slow", pushed, timeout, List.of(first, second));
    // The slot of the first stays taken until its handler returns.
    get(messaging.push(queue, "next"));
    first.staysAt(1);
    long released = System.nanoTime();
    release.countDown();
    first.awaitAll(List.of("slow", "next"));
    awaitAcknowledged(slow, 1);
    Received.checkTakenBack("next", released, timeout, List.of(first));
    await(
        "late returns",
        () -> slow.counters().lateReturns() == slow.counters().timedOut(),
        () -> slow.counters());
    assertEquals(0, deadLetters(messaging, queue));
    await(
        "nothing in flight",
        () -> status(messaging, queue).inFlight() + status(messaging, queue).waiting() == 0,
        () -> status(messaging, queue));
  }

  private static void awaitUninterruptibly(CountDownLatch latch) {
    boolean interrupted = false;
    while (true) {
      try {
        if (!latch.await(30, TimeUnit.SECONDS)) {
          throw new AssertionError("not released within 30 s");
        }
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @EachHandlerKind
  @DisplayName("36. extend keeps a message beyond handlerTimeout; where it cannot, its stage fails")
  void extend(HandlerKind kind) throws Exception {
    Duration timeout = Duration.ofSeconds(1);
    WorkQueue<String> queue = queueBuilder().handlerTimeout(timeout).build();
    Messaging messaging = messaging();
    Received<String> received = received();
    boolean extendable = queues().extendable();
    CountDownLatch never = new CountDownLatch(1);
    AtomicLong extended = new AtomicLong(System.nanoTime());
    List<Duration> early = new CopyOnWriteArrayList<>();
    Subscription worker = ready(kind.start(messaging.worker(queue), delivery -> {
      Duration since = Duration.ofNanos(System.nanoTime() - extended.get());
      if (delivery.deliveryCount() > 1 && since.compareTo(timeout) < 0) {
        early.add(since); // it came again before the time of its extension had passed
      }
      received.add(delivery);
      if (!extendable) {
        failure(Throwable.class, delivery.extend(timeout));
        return;
      }
      for (int i = 0; i < 6; i++) {
        long now = System.nanoTime();
        get(delivery.extend(timeout));
        extended.set(now);
        never.await(timeout.toMillis() / 5, TimeUnit.MILLISECONDS);
      }
    }));
    get(messaging.push(queue, "job"));
    awaitAcknowledged(worker, 1);
    received.awaitQuiet();
    assertEquals(List.of("job"), received.distinct());
    assertEquals(List.of(), early);
    assertEquals(0, deadLetters(messaging, queue));
  }

  @EachHandlerKind
  @DisplayName("37. ordered: a failure and its delay hold back its key, in order")
  void orderedOverFailure(HandlerKind kind) throws Exception {
    assume(queues().orderedQueues(), "orderedQueues", false);
    assume(!profile().reorders(), "orderedQueues", "off: faults reorder");
    List<String> sent = numberedOfKeys();
    Received<String> received = received();
    failOnce(kind, delayOf(200), received, sent);
    List<String> expected = new ArrayList<>(sent);
    expected.add("a1");
    received.awaitExactly(expected);
    for (String key : List.of("a", "b", "c")) {
      List<String> order =
          received.distinct().stream().filter(each -> each.startsWith(key)).toList();
      assertEquals(numbered(key, 5), order);
    }
    List<String> payloads = received.payloads();
    int again = 0;
    while (received.entries().get(again).count() == 1) {
      again++;
    }
    assertTrue(payloads.indexOf("a2") > again, "a2 came before a1 was handled: " + payloads);
  }

  @EachHandlerKind
  @DisplayName("37. ordered: a failure and its delay hold back no other key where promised")
  void otherKeysPassFailure(HandlerKind kind) throws Exception {
    assume(queues().orderedQueues(), "orderedQueues", false);
    assume(queues().heldBack() == HeldBack.KEY, "heldBack", queues().heldBack());
    List<String> sent = numberedOfKeys();
    Received<String> received = received();
    // The delay is longer than anything takes here: whatever comes has passed the failed message.
    failOnce(kind, Duration.ofHours(1), received, sent);
    List<String> passed = sent.stream()
        .filter(each -> !each.startsWith("a") || each.compareTo("a1") <= 0)
        .toList();
    received.awaitExactly(passed);
  }

  private static List<String> numberedOfKeys() {
    return IntStream.range(0, 5)
        .boxed()
        .flatMap(i -> Stream.of("a" + i, "b" + i, "c" + i))
        .toList();
  }

  /** Pushes messages whose key is their first letter; the first delivery of a1 fails. */
  private void failOnce(
      HandlerKind kind, Duration delay, Received<String> received, List<String> sent)
      throws Exception {
    WorkQueue<String> queue =
        queueBuilder().ordered(true).redelivery(Redelivery.constant(3, delay)).build();
    Messaging messaging = messaging();
    for (String each : sent) {
      get(messaging.pushMessage(queue, Message.of(each).withKey(each.substring(0, 1))));
    }
    ready(kind.start(messaging.worker(queue).concurrency(4).prefetch(16), delivery -> {
      received.add(delivery);
      if (delivery.payload().equals("a1") && delivery.deliveryCount() == 1) {
        throw new IllegalStateException("once");
      }
    }));
  }

  @Test
  @DisplayName("42. a batch fails in part: what was failed comes again, the rest is acknowledged")
  void batch() throws Exception {
    Messaging messaging = messaging();
    WorkQueue<String> queue = queue();
    List<String> sent = numbered("", 30);
    pushAll(messaging, queue, sent);
    Received<String> received = received();
    List<Integer> sizes = new ArrayList<>();
    Subscription worker = ready(messaging
        .worker(queue)
        .prefetch(30)
        .startBatch(10, batch -> failInPart(batch, received, sizes)));
    List<String> expected = new ArrayList<>(sent);
    expected.addAll(List.of("3", "7"));
    received.awaitExactly(expected);
    awaitAcknowledged(worker, 30);
    synchronized (sizes) {
      assertTrue(sizes.stream().allMatch(size -> size >= 1 && size <= 10), sizes.toString());
    }
    List<String> again = received.entries().stream()
        .filter(entry -> entry.count() == 2)
        .map(entry -> entry.message().payload())
        .sorted()
        .distinct()
        .toList();
    assertEquals(List.of("3", "7"), again);
  }

  private static void failInPart(
      BatchDelivery<String> batch, Received<String> received, List<Integer> sizes) {
    synchronized (sizes) {
      sizes.add(batch.deliveries().size());
    }
    batch.deliveries().forEach(received::add);
    batch.deliveries().stream()
        .filter(each -> each.deliveryCount() == 1)
        .filter(each -> each.payload().equals("3") || each.payload().equals("7"))
        .forEach(each -> batch.fail(each, new IllegalStateException("failed in a batch")));
  }

  @Test
  @DisplayName("42. a batch handler that throws fails all of its batch")
  void batchThrows() throws Exception {
    Messaging messaging = messaging();
    WorkQueue<String> queue = queue(2);
    List<String> sent = numbered("", 5);
    pushAll(messaging, queue, sent);
    Received<String> received = received();
    ready(messaging.worker(queue).prefetch(5).startBatch(5, batch -> {
      batch.deliveries().forEach(received::add);
      throw new IllegalStateException("the whole batch");
    }));
    List<String> twice = new ArrayList<>(sent);
    twice.addAll(sent);
    received.awaitExactly(twice);
    awaitDeadLetters(messaging, queue, 5);
    get(messaging.deadLetters(queue).peek(5))
        .forEach(letter -> assertTrue(letter.error().contains("the whole batch"), letter.error()));
  }

  @EachHandlerKind
  @DisplayName(
      "45. of 20 fetched messages the second fails: 19 are handled, the second comes again")
  void secondOfTwentyFails(HandlerKind kind) throws Exception {
    Messaging messaging = messaging();
    WorkQueue<String> queue = queue();
    List<String> sent = numbered("", 20);
    pushAll(messaging, queue, sent);
    Received<String> received = received();
    Subscription worker = ready(kind.start(messaging.worker(queue).prefetch(20), delivery -> {
      received.add(delivery);
      if (delivery.payload().equals("1") && delivery.deliveryCount() == 1) {
        throw new IllegalStateException("once");
      }
    }));
    List<String> expected = new ArrayList<>(sent);
    expected.add("1");
    received.awaitExactly(expected);
    awaitAcknowledged(worker, 20);
    received
        .entries()
        .forEach(entry -> assertTrue(
            entry.count() == 1 || entry.message().payload().equals("1"), entry.toString()));
  }
}
