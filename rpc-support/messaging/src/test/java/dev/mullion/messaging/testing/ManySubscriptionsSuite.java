package dev.mullion.messaging.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.engine.Engine;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** A thousand subscriptions of one {@code Messaging} share its connection and its threads. */
public abstract class ManySubscriptionsSuite {
  private static final int COUNT = 1_000;
  private static final int WARM_UP = 100;

  private final Topic<String> topic = Topic.of("many", Codecs.utf8());
  private final CountDownLatch received = new CountDownLatch(COUNT);

  /** Creates the test. */
  protected ManySubscriptionsSuite() {}

  /** Returns the engine. */
  protected abstract Engine engine() throws Exception;

  @Test
  void aThousandNeedNoThreadsOfTheirOwn() throws Exception {
    try (Messaging messaging = Messaging.on(engine())) {
      CountDownLatch warm = new CountDownLatch(WARM_UP);
      for (int i = 0; i < WARM_UP; i++) {
        messaging
            .subscribe(topic, message -> warm.countDown())
            .ready()
            .toCompletableFuture()
            .get(60, TimeUnit.SECONDS);
      }
      messaging.publish(topic, "first").get(20, TimeUnit.SECONDS);
      assertThat(warm.await(60, TimeUnit.SECONDS)).isTrue(); // their handlers have threads now
      int threads = Thread.activeCount();
      long heap = heap();
      List<Subscription> subscriptions = new ArrayList<>();
      long begin = System.nanoTime();
      for (int i = 0; i < COUNT; i++) {
        subscriptions.add(messaging.subscribe(topic, message -> received.countDown()));
      }
      for (Subscription each : subscriptions) {
        each.ready().toCompletableFuture().get(60, TimeUnit.SECONDS);
      }
      long subscribed = System.nanoTime();
      System.out.printf(
          "%,d subscriptions in %,d ms: %,d bytes of heap each, %d threads more%n",
          COUNT,
          TimeUnit.NANOSECONDS.toMillis(subscribed - begin),
          (heap() - heap) / COUNT,
          Thread.activeCount() - threads);
      assertThat(Thread.activeCount() - threads).isLessThan(20);
      messaging.publish(topic, "to all").get(20, TimeUnit.SECONDS);
      assertThat(received.await(60, TimeUnit.SECONDS)).isTrue();
      System.out.printf("%d threads more when all have received%n", Thread.activeCount() - threads);
      assertThat(Thread.activeCount() - threads).isLessThan(COUNT / 2);
    }
  }

  private static long heap() {
    System.gc();
    System.gc(); // what the first one has made unreachable
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }
}
