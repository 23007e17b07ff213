package dev.mullion.messaging.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.engine.Engine;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

/** Workers are stopped and started again and again while jobs come in. */
public abstract class DeploySuite {
  private static final int HANDLED_BY_EACH = 20;
  private static final int WAITING = 200;
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final int deploys;
  private final int maxDeliveries;
  private final Set<String> handled = ConcurrentHashMap.newKeySet();
  private final AtomicInteger counted = new AtomicInteger();
  private final AtomicBoolean pushing = new AtomicBoolean(true);
  private final CountDownLatch never = new CountDownLatch(1);

  /**
   * Creates the test for an engine.
   *
   * @param maxDeliveries low enough that a healthy job is buried if the stops count
   */
  protected DeploySuite(int deploys, int maxDeliveries) {
    this.deploys = deploys;
    this.maxDeliveries = maxDeliveries;
  }

  /** Returns the engine. */
  protected abstract Engine engine() throws Exception;

  @Test
  void noHealthyJobIsBuriedOrLost() throws Exception {
    WorkQueue<String> queue = WorkQueue.builder("deploy-" + UUID.randomUUID(), Codecs.utf8())
        .redelivery(Redelivery.immediate(maxDeliveries))
        .build();
    Engine engine = engine();
    try (Messaging messaging = Messaging.on(engine)) {
      messaging.declare(queue);
      CompletableFuture<Integer> pushed =
          CompletableFuture.supplyAsync(() -> push(messaging, queue));
      for (int i = 0; i < deploys; i++) {
        deploy(engine, queue);
      }
      pushing.set(false);
      int count = pushed.get(30, TimeUnit.SECONDS);
      messaging
          .worker(queue)
          .concurrency(16)
          .prefetch(500)
          .start(job -> handled.add(job.payload()));
      awaitHandled(count, messaging);
      assertThat(messaging.deadLetters(queue).count().toCompletableFuture().get())
          .isZero();
      System.out.println(deploys + " deploys, " + count + " jobs, of which " + counted
          + " deliveries to a worker that stopped were counted; no dead letter");
    }
  }

  /** Starts a worker, and stops it in the middle of its work. */
  private void deploy(Engine engine, WorkQueue<String> queue) throws Exception {
    Semaphore some = new Semaphore(0);
    try (Messaging worker = Messaging.on(engine)) {
      worker.worker(queue).concurrency(4).prefetch(32).start(job -> {
        counted.addAndGet(job.deliveryCount() - 1);
        never.await(1, TimeUnit.MILLISECONDS);
        handled.add(job.payload());
        some.release();
      });
      assertThat(some.tryAcquire(HANDLED_BY_EACH, 30, TimeUnit.SECONDS)).isTrue();
    }
  }

  /** Pushes so that some always wait, and not too many. */
  private int push(Messaging messaging, WorkQueue<String> queue) {
    int count = 0;
    while (pushing.get()) {
      if (count - handled.size() < WAITING) {
        messaging.push(queue, "" + count++).join();
      } else {
        LockSupport.parkNanos(1_000_000);
      }
    }
    return count;
  }

  /** Waits for as long as something goes on. */
  private void awaitHandled(int count, Messaging messaging) throws Exception {
    int seen = -1;
    long last = System.nanoTime();
    while (handled.size() < count && System.nanoTime() - last < PATIENCE.toNanos()) {
      if (handled.size() > seen) {
        seen = handled.size();
        last = System.nanoTime();
      }
      never.await(5, TimeUnit.MILLISECONDS);
    }
    assertThat(handled.size())
        .as(() -> "handled; " + messaging.queues().toCompletableFuture().join())
        .isEqualTo(count);
  }
}
