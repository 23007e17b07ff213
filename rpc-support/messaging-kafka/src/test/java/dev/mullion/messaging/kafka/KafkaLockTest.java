package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.Queue;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** The broker locks a job for a time; its handler may take longer. */
class KafkaLockTest {
  private static final Duration LOCK = Duration.ofSeconds(1);
  private static final String SLOW = "slow";

  private final WorkQueue<String> queue = WorkQueue.of("lock-" + UUID.randomUUID(), Codecs.utf8());
  private final Queue<String> calls = new ConcurrentLinkedQueue<>();
  private final BlockingQueue<String> handled = new LinkedBlockingQueue<>();
  private final CountDownLatch held = new CountDownLatch(1);
  private final CountDownLatch over = new CountDownLatch(1);

  // A consumer that holds a job fetches nothing, so all others waited for it.
  @Test
  void slowHandlerKeepsItsJobAndHoldsUpNoOther() throws Exception {
    KafkaEngine engine =
        KafkaEngine.builder(KafkaUnderTest.node().servers()).lockDuration(LOCK).build();
    try (Messaging messaging = Messaging.on(engine)) {
      messaging.worker(queue).concurrency(2).start(job -> {
        calls.add(job.payload() + ", delivery " + job.deliveryCount());
        if (job.payload().equals(SLOW)) {
          held.countDown();
          over.await();
        }
        handled.add(job.payload());
      });
      push(messaging, SLOW);
      assertThat(held.await(20, TimeUnit.SECONDS)).isTrue();
      int quick = 0;
      for (long begin = System.nanoTime(); System.nanoTime() - begin < 3 * LOCK.toNanos(); ) {
        String job = "quick " + quick++;
        push(messaging, job);
        assertThat(handled.poll(20, TimeUnit.SECONDS)).isEqualTo(job);
      }
      over.countDown();
      assertThat(handled.poll(20, TimeUnit.SECONDS)).isEqualTo(SLOW);
      push(messaging, "last");
      assertThat(handled.poll(20, TimeUnit.SECONDS)).isEqualTo("last");
      assertThat(calls).doesNotHaveDuplicates().allMatch(call -> call.endsWith(", delivery 1"));
    }
  }

  private void push(Messaging messaging, String job) throws Exception {
    messaging.push(queue, job).get(20, TimeUnit.SECONDS);
  }
}
