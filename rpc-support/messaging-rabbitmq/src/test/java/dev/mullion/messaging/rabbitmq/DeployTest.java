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
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Workers are stopped and started again and again while jobs come in. */
@ExtendWith(WithBroker.class)
class DeployTest {
  private static final int DEPLOYS = 50;
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final Set<String> handled = ConcurrentHashMap.newKeySet();
  private final AtomicInteger counted = new AtomicInteger();
  private final CountDownLatch never = new CountDownLatch(1);

  @Test
  void noHealthyJobIsBuriedOrLost() throws Exception {
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
            counted.addAndGet(delivery.deliveryCount() - 1);
            never.await(1, TimeUnit.MILLISECONDS);
            handled.add(delivery.payload());
          });
          never.await(20, TimeUnit.MILLISECONDS);
        }
      }
      pushing.set(false);
      int count = pushed.get(30, TimeUnit.SECONDS);
      messaging.pull(queue, delivery -> handled.add(delivery.payload()));
      awaitHandled(count, messaging);
      assertThat(messaging.deadLetters(queue).count().toCompletableFuture().get())
          .isZero();
      System.out.println(count + " jobs, " + counted + " losses counted");
    }
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

  private static int push(Messaging messaging, WorkQueue<String> queue, AtomicBoolean pushing) {
    int count = 0;
    while (pushing.get()) {
      messaging.push(queue, "" + count++).join();
    }
    return count;
  }
}
