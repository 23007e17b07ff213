package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class PushPullTest {
  @Test
  void aJobThatFailsComesAgainAfterItsDelay() throws Exception {
    WorkQueue<String> queue = WorkQueue.builder("q" + System.nanoTime(), Codecs.utf8())
        .redelivery(Redelivery.constant(3, Duration.ofMillis(100)))
        .build();
    List<String> seen = new CopyOnWriteArrayList<>();
    CountDownLatch done = new CountDownLatch(1);
    RabbitMqEngine engine =
        RabbitMqEngine.builder().addresses(Broker.shared().address()).build();
    long start = System.nanoTime();
    try (Messaging messaging = Messaging.on(engine)) {
      System.out.println("open " + (System.nanoTime() - start) / 1e6);
      messaging.push(queue, "job").get();
      System.out.println("pushed " + (System.nanoTime() - start) / 1e6);
      messaging.pull(queue, delivery -> {
        seen.add(delivery.payload() + delivery.deliveryCount());
        if (delivery.deliveryCount() < 3) {
          throw new IllegalStateException("again");
        }
        done.countDown();
      });
      assertThat(done.await(10, TimeUnit.SECONDS)).isTrue();
      System.out.println("done " + (System.nanoTime() - start) / 1e6);
    }
    System.out.println("closed " + (System.nanoTime() - start) / 1e6);
    assertThat(seen).containsExactly("job1", "job2", "job3");
  }
}
