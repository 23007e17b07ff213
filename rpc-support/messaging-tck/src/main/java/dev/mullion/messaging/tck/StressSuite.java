package dev.mullion.messaging.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.Signal;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.io.File;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** All patterns at once, for a while: case 72. */
public abstract class StressSuite extends EngineSuite {
  private static final int COPIES = 10;
  private static final int WARM_UP = 3;
  private static final long MORE_MEMORY = 16 << 20; // bytes, for what the JVM keeps of its own
  private static final long MORE_STORED =
      4 << 20; // bytes: a store rewrites its files from time to time
  private static final Duration BACK = Duration.ofSeconds(90);

  /** Creates the suite. */
  protected StressSuite() {}

  @Test
  @DisplayName(
      "72. ten copies of all patterns in parallel: all exact, threads, memory and files bounded")
  void allPatternsInParallel() throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(LongForms.stressSeconds());
    Messaging shared = messaging();
    for (int i = 0; i < WARM_UP; i++) {
      round(shared, i);
    }
    closeAll();
    Held before = held();
    Messaging stressed = messaging();
    AtomicLong rounds = new AtomicLong();
    ExecutorService threads = Executors.newFixedThreadPool(COPIES);
    try {
      List<Future<Void>> copies = new ArrayList<>();
      for (int copy = 0; copy < COPIES; copy++) {
        int number = copy;
        Callable<Void> task = () -> {
          do {
            round(stressed, number);
            rounds.incrementAndGet();
          } while (System.nanoTime() - end < 0);
          return null;
        };
        copies.add(threads.submit(task));
      }
      for (Future<Void> copy : copies) {
        copy.get(LongForms.stressSeconds() + 120L, TimeUnit.SECONDS);
      }
    } finally {
      threads.shutdownNow();
    }
    assertEquals(0, stressed.counters().pending(), () -> stressed.counters().toString());
    closeAll();
    assertTrue(threads.awaitTermination(10, TimeUnit.SECONDS));
    assertBackWhereItBegan(before, rounds.get());
  }

  /** One small piece of each pattern, with addresses of its own. */
  private void round(Messaging messaging, int number) throws Exception {
    HandlerKind kind = number % 2 == 0 ? HandlerKind.BLOCKING : HandlerKind.ASYNC;
    try (Messaging own = open()) {
      publishSubscribe(own, messaging, kind);
      pushPull(messaging, own, kind);
      requestReply(own, messaging, kind);
      fireAndForget(messaging, kind);
    }
  }

  private Messaging open() throws MessagingException {
    return Messaging.builder(underTest().engine()).start();
  }

  private void publishSubscribe(Messaging own, Messaging shared, HandlerKind kind)
      throws Exception {
    Topic<String> topic = topic();
    Received<String> live = received();
    Received<String> group = received();
    WorkQueue<String> queue = topic.group("group");
    List<String> sent = numbered("", profile().scaled(100));
    try (Subscription first = ready(kind.start(own.subscriber(topic), live));
        Subscription second = ready(kind.start(shared.worker(queue).prefetch(8), group))) {
      publishAll(shared, topic, sent);
      live.awaitExactly(sent);
      group.awaitExactly(sent);
      assertEquals(first.address(), topic.name());
      assertTrue(second.counters().delivered() >= sent.size());
    }
    get(shared.delete(queue));
  }

  private void pushPull(Messaging own, Messaging shared, HandlerKind kind) throws Exception {
    WorkQueue<String> queue = queue();
    Received<String> handled = received();
    List<String> sent = numbered("", profile().scaled(100));
    try (Subscription worker =
        ready(kind.start(shared.worker(queue).concurrency(4).prefetch(8), delivery -> {
          if (delivery.deliveryCount() == 1 && delivery.payload().endsWith("7")) {
            throw new IllegalStateException("once");
          }
          handled.add(delivery);
        }))) {
      pushAll(own, queue, sent);
      handled.awaitExactly(sent);
      assertEquals(0, worker.counters().timedOut());
    }
    get(own.delete(queue));
  }

  private void requestReply(Messaging own, Messaging shared, HandlerKind kind) throws Exception {
    Subject<String, String> subject = subject();
    try (Subscription replier =
        ready(kind.start(shared.replier(subject), request -> "re " + request.payload()))) {
      List<CompletableFuture<String>> replies = new ArrayList<>();
      int count = profile().scaled(50);
      for (int i = 0; i < count; i++) {
        replies.add(own.request(subject, "" + i, profile().delivery()));
      }
      for (int i = 0; i < count; i++) {
        assertEquals("re " + i, get(replies.get(i)));
      }
      assertEquals(subject.name(), replier.address());
    }
  }

  private void fireAndForget(Messaging shared, HandlerKind kind) throws Exception {
    Signal<String> signal = signal();
    Received<String> received = received();
    List<String> sent = new ArrayList<>();
    try (Subscription receiver = ready(kind.start(shared.receiver(signal), received))) {
      for (String each : numbered("", profile().scaled(100))) {
        if (shared.send(signal, each)) {
          sent.add(each);
        }
      }
      received.awaitExactly(sent);
      assertEquals(signal.name(), receiver.address());
    }
  }

  /** In the long form only: pools of threads end after they were idle for a while. */
  private void assertBackWhereItBegan(Held before, long rounds) {
    if (!LongForms.on()) {
      return;
    }
    String unlike = ", before " + before + ", after " + rounds + " rounds";
    await(
        "threads as at the beginning",
        BACK,
        () -> Thread.activeCount() <= before.threads + 4,
        () -> Thread.getAllStackTraces().keySet() + unlike);
    await(
        "descriptors as at the beginning",
        BACK,
        () -> openFiles() <= before.descriptors + 4,
        () -> openFiles() + unlike);
    await(
        "memory as at the beginning",
        BACK,
        () -> memory() <= before.memory + MORE_MEMORY,
        () -> memory() + " bytes" + unlike);
    await(
        "files as at the beginning",
        BACK,
        () -> underTest().storedBytes() <= before.stored + MORE_STORED,
        () -> held() + unlike);
    System.out.println("stress: " + rounds + " rounds; before: " + before + ", after: " + held());
  }

  /** What this process holds, and its engine's files. */
  private record Held(long memory, int threads, long descriptors, long stored) {}

  private Held held() {
    return new Held(memory(), Thread.activeCount(), openFiles(), underTest().storedBytes());
  }

  /** Returns how many descriptors this process has open; 0 where the system does not tell. */
  private static long openFiles() {
    String[] open = new File("/proc/self/fd").list();
    return open == null ? 0 : open.length;
  }

  private static long memory() {
    if (LongForms.on()) {
      System.gc();
    }
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }
}
