package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.WorkQueue;
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
class KafkaDeployTest {
  private static final int DEPLOYS = Integer.getInteger("kafka.deploys", 3);
  private static final int HANDLED_BY_EACH = 20;
  private static final int WAITING = 200;

  private final Set<String> handled = ConcurrentHashMap.newKeySet();
  private final AtomicInteger counted = new AtomicInteger();
  private final CountDownLatch never = new CountDownLatch(1);

  @Test
  void noHealthyJobIsBuriedOrLost() throws Exception {
    WorkQueue<String> queue = WorkQueue.builder("deploy-" + UUID.randomUUID(), Codecs.utf8())
        .redelivery(Redelivery.immediate(3))
        .build();
    KafkaEngine engine = KafkaUnderTest.Open.engine(KafkaUnderTest.node().servers());
    AtomicBoolean pushing = new AtomicBoolean(true);
    try (Messaging messaging = Messaging.on(engine)) {
      messaging.declare(queue);
      CompletableFuture<Integer> pushed =
          CompletableFuture.supplyAsync(() -> push(messaging, queue, pushing));
      for (int i = 0; i < DEPLOYS; i++) {
        deploy(engine, queue);
      }
      pushing.set(false);
      int count = pushed.get(30, TimeUnit.SECONDS);
      messaging
          .worker(queue)
          .concurrency(16)
          .prefetch(500)
          .start(job -> handled.add(job.payload()));
      long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
      while (handled.size() < count && System.nanoTime() - end < 0) {
        never.await(5, TimeUnit.MILLISECONDS);
      }
      assertThat(handled).hasSize(count);
      assertThat(messaging.deadLetters(queue).count().toCompletableFuture().get())
          .isZero();
      System.out.println(DEPLOYS + " deploys, " + count + " jobs, of which " + counted
          + " deliveries to a worker that stopped were counted; no dead letter");
    }
  }

  /** Starts a worker, and stops it in the middle of its work. */
  private void deploy(KafkaEngine engine, WorkQueue<String> queue) throws Exception {
    Semaphore some = new Semaphore(0);
    try (Messaging worker = Messaging.on(engine)) {
      worker.worker(queue).concurrency(4).prefetch(32).start(job -> {
        if (job.deliveryCount() > 1) {
          counted.incrementAndGet();
        }
        never.await(1, TimeUnit.MILLISECONDS);
        handled.add(job.payload());
        some.release();
      });
      assertThat(some.tryAcquire(HANDLED_BY_EACH, 30, TimeUnit.SECONDS)).isTrue();
    }
  }

  /** Pushes so that some always wait, and not too many. */
  private int push(Messaging messaging, WorkQueue<String> queue, AtomicBoolean pushing) {
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
}
