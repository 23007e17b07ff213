package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.WorkQueue;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Workers that are so slow that what they have fetched goes back again and again. Some jobs were
 * handed out twice, since each time the worker consumed with the same tag; and at times a worker
 * gave back all that it got.
 */
@ExtendWith(WithBroker.class)
class SlowWorkerTest {
  private static final int JOBS = 30;
  private static final int WORKERS = 4;

  private final ConcurrentLinkedQueue<String> handled = new ConcurrentLinkedQueue<>();
  private final CountDownLatch never = new CountDownLatch(1);
  private final CountDownLatch all = new CountDownLatch(JOBS * WORKERS);

  @Test
  void eachJobIsHandledOnce() throws Exception {
    RabbitMqEngine engine = RabbitMqUnderTest.engine(Broker.shared().port(), "slow");
    try (Messaging messaging = Messaging.on(engine)) {
      for (int i = 0; i < WORKERS; i++) {
        start(messaging, WorkQueue.of("slow-" + i, Codecs.utf8()));
      }
      assertThat(all.await(90, TimeUnit.SECONDS)).as(handled::toString).isTrue();
      assertThat(handled).doesNotHaveDuplicates().hasSize(JOBS * WORKERS);
    }
    Leftovers.delete(engine);
  }

  private void start(Messaging messaging, WorkQueue<String> queue) throws Exception {
    messaging.declare(queue);
    List<CompletableFuture<Void>> pushed = IntStream.range(0, JOBS)
        .mapToObj(i -> messaging.push(queue, queue.name() + "/" + i).toCompletableFuture())
        .toList();
    CompletableFuture.allOf(pushed.toArray(CompletableFuture[]::new)).get(30, TimeUnit.SECONDS);
    messaging.worker(queue).concurrency(2).prefetch(4).start(delivery -> {
      never.await(250, TimeUnit.MILLISECONDS); // longer than what is fetched may wait
      handled.add(delivery.payload());
      all.countDown();
    });
  }
}
