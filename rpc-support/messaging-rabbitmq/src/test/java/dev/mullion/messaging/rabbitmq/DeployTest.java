package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/** Workers are stopped and started again and again while jobs come in. */
class DeployTest {
  private static final int DEPLOYS = 50;

  private final Set<String> handled = ConcurrentHashMap.newKeySet();
  private final CountDownLatch never = new CountDownLatch(1);

  @Test
  void noHealthyJobIsBuriedOrLost() throws Exception {
    // One loss would be allowed: what is given back must not count.
    WorkQueue<String> queue = WorkQueue.builder("deploy-" + System.nanoTime(), Codecs.utf8())
        .redelivery(Redelivery.immediate(2))
        .build();
    RabbitMqEngine engine = RabbitMqUnderTest.engine(Broker.shared().port(), "deploy");
    AtomicBoolean pushing = new AtomicBoolean(true);
    try (Messaging messaging = Messaging.on(engine)) {
      messaging.declare(queue);
      CompletableFuture<Integer> pushed =
          CompletableFuture.supplyAsync(() -> push(messaging, queue, pushing));
      for (int i = 0; i < DEPLOYS; i++) {
        try (Messaging worker = Messaging.on(engine)) {
          worker.worker(queue).concurrency(4).prefetch(32).start(delivery -> {
            assertThat(delivery.deliveryCount()).isEqualTo(1);
            never.await(1, TimeUnit.MILLISECONDS);
            handled.add(delivery.payload());
          });
          never.await(20, TimeUnit.MILLISECONDS);
        }
      }
      pushing.set(false);
      int count = pushed.get(30, TimeUnit.SECONDS);
      messaging.pull(queue, delivery -> handled.add(delivery.payload()));
      long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
      while (handled.size() < count && System.nanoTime() - end < 0) {
        never.await(5, TimeUnit.MILLISECONDS);
      }
      assertThat(handled).hasSize(count);
      assertThat(messaging.deadLetters(queue).count().toCompletableFuture().get())
          .isZero();
    }
  }

  private static int push(Messaging messaging, WorkQueue<String> queue, AtomicBoolean pushing) {
    int count = 0;
    while (pushing.get()) {
      messaging.push(queue, "" + count++).join();
    }
    return count;
  }
}
