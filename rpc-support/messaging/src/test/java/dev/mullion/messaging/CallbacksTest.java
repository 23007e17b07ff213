package dev.mullion.messaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CallbacksTest {
  private static final int SECONDS = 30;

  private final Callbacks callbacks = new Callbacks();

  @AfterEach
  void close() {
    callbacks.close();
  }

  @Test
  void eachTaskOfManyThreadsRunsOnce() throws Exception {
    int threads = 8;
    int tasks = 20_000;
    AtomicInteger[] runs = new AtomicInteger[threads * tasks];
    CountDownLatch left = new CountDownLatch(runs.length);
    List<Thread> senders = new ArrayList<>();
    for (int t = 0; t < threads; t++) {
      int first = t * tasks;
      senders.add(new Thread(() -> {
        for (int i = first; i < first + tasks; i++) {
          AtomicInteger own = new AtomicInteger();
          runs[i] = own;
          callbacks.execute(() -> {
            own.incrementAndGet();
            left.countDown();
          });
        }
      }));
    }
    senders.forEach(Thread::start);
    for (Thread each : senders) {
      each.join();
    }
    assertTrue(left.await(SECONDS, TimeUnit.SECONDS));
    for (AtomicInteger each : runs) {
      assertEquals(1, each.get());
    }
  }

  /** More wait than the pool has threads, and what they wait for comes behind all of them. */
  @Test
  void tasksThatWaitHoldUpNoOthers() throws Exception {
    int waiters = 100;
    CompletableFuture<Void> awaited = new CompletableFuture<>();
    CountDownLatch left = new CountDownLatch(waiters);
    for (int i = 0; i < waiters; i++) {
      callbacks.execute(() -> {
        awaited.join();
        left.countDown();
      });
    }
    callbacks.execute(() -> awaited.complete(null));
    assertTrue(left.await(SECONDS, TimeUnit.SECONDS));
  }

  /** It comes when the only runner is inside of a task and nothing waited. */
  @Test
  void taskThatComesLaterIsNotHeldUp() throws Exception {
    CompletableFuture<Void> begun = new CompletableFuture<>();
    CompletableFuture<Void> awaited = new CompletableFuture<>();
    CompletableFuture<Void> ended = new CompletableFuture<>();
    callbacks.execute(() -> {
      begun.complete(null);
      awaited.join();
      ended.complete(null);
    });
    begun.get(SECONDS, TimeUnit.SECONDS);
    callbacks.execute(() -> awaited.complete(null));
    ended.get(SECONDS, TimeUnit.SECONDS);
  }

  @Test
  void failureAndInterruptOfATaskDoNotReachTheNext() throws Exception {
    int pairs = 1000;
    CountDownLatch left = new CountDownLatch(pairs);
    AtomicInteger interrupted = new AtomicInteger();
    for (int i = 0; i < pairs; i++) {
      callbacks.execute(() -> {
        Thread.currentThread().interrupt();
        throw new IllegalStateException("of a continuation");
      });
      callbacks.execute(() -> {
        if (Thread.currentThread().isInterrupted()) {
          interrupted.incrementAndGet();
        }
        left.countDown();
      });
    }
    assertTrue(left.await(SECONDS, TimeUnit.SECONDS));
    assertEquals(0, interrupted.get());
  }

  @Test
  void tasksRunAfterTheClose() throws Exception {
    callbacks.close();
    CompletableFuture<Thread> ran = new CompletableFuture<>();
    callbacks.execute(() -> ran.complete(Thread.currentThread()));
    assertFalse(ran.get(SECONDS, TimeUnit.SECONDS) == Thread.currentThread());
  }
}
