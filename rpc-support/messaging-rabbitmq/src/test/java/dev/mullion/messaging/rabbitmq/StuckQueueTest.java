package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * A queue of the broker takes messages and confirms none, as one that was created just before the
 * broker was killed. Jobs once waited for such a confirm forever.
 */
@ExtendWith(WithBroker.class)
class StuckQueueTest {
  private static final String PREFIX = "stuck";

  private final String name = "q" + System.nanoTime();
  private final BlockingQueue<Integer> calls = new LinkedBlockingQueue<>();
  private String stuck = "";

  @AfterEach
  void resume() throws Exception {
    if (!stuck.isEmpty()) {
      Broker.shared().resume(stuck);
      stuck = "";
    }
  }

  private void suspend(String queue) throws Exception {
    stuck = PREFIX + "." + queue;
    Broker.shared().suspend(stuck);
  }

  private static Messaging messaging() throws Exception {
    return Messaging.on(RabbitMqEngine.builder()
        .addresses(Broker.shared().address())
        .prefix(PREFIX)
        .confirmTimeout(Duration.ofSeconds(1))
        .build());
  }

  private WorkQueue<String> queue(Redelivery redelivery) {
    return WorkQueue.builder(name, Codecs.utf8()).redelivery(redelivery).build();
  }

  @Test
  void aFailedJobIsHeldByItsWorkerForTheDelay() throws Exception {
    WorkQueue<String> queue = queue(Redelivery.constant(2, Duration.ofSeconds(2)));
    try (Messaging messaging = messaging()) {
      messaging.declare(queue);
      suspend("delay.2000." + name);
      messaging.pull(queue, delivery -> {
        calls.add(delivery.deliveryCount());
        throw new IllegalStateException("expected");
      });
      long begin = System.nanoTime();
      messaging.push(queue, "job").get();

      assertThat(calls.poll(20, TimeUnit.SECONDS)).isEqualTo(1);
      assertThat(calls.poll(20, TimeUnit.SECONDS)).isEqualTo(2);
      assertThat(System.nanoTime() - begin).isGreaterThan(TimeUnit.SECONDS.toNanos(2));
      await(messaging, queue);
      assertThat(calls).isEmpty();
    }
  }

  @Test
  void aJobThatCannotBecomeADeadLetterIsNotCalledAgain() throws Exception {
    WorkQueue<String> queue = queue(Redelivery.immediate(1));
    try (Messaging messaging = messaging()) {
      messaging.declare(queue);
      suspend("dead." + name);
      messaging.pull(queue, delivery -> {
        calls.add(delivery.deliveryCount());
        throw new IllegalStateException("expected");
      });
      messaging.push(queue, "job").get();
      assertThat(calls.poll(20, TimeUnit.SECONDS)).isEqualTo(1);
      assertThat(calls.poll(3, TimeUnit.SECONDS)).isNull(); // it came again meanwhile

      resume();
      await(messaging, queue);
      assertThat(calls).isEmpty();
    }
  }

  @Test
  void aPushFailsInTime() throws Exception {
    WorkQueue<String> queue = queue(Redelivery.immediate(1));
    try (Messaging messaging = messaging()) {
      messaging.declare(queue);
      suspend("queue." + name);

      assertThatThrownBy(() -> messaging.push(queue, "job").get(20, TimeUnit.SECONDS))
          .isInstanceOf(ExecutionException.class)
          .cause()
          .isInstanceOf(BrokerAwayException.class)
          .hasMessageContainingAll("confirmTimeout", "stuck.queue." + name);
    }
  }

  /** Waits for the dead letter. */
  private static void await(Messaging messaging, WorkQueue<String> queue) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (messaging.deadLetters(queue).count().toCompletableFuture().get() == 0) {
      assertThat(System.nanoTime()).isLessThan(end);
      TimeUnit.MILLISECONDS.sleep(10);
    }
  }
}
