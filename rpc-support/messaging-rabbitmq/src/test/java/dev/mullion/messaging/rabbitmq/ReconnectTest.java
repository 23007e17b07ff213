package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.testing.Relay;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** A lost connection comes back, whatever user code does. */
@Timeout(60)
@ExtendWith(WithBroker.class)
class ReconnectTest {
  private static final int THREADS = Math.max(16, Runtime.getRuntime().availableProcessors());

  private final WorkQueue<String> queue =
      WorkQueue.of("reconnect" + System.nanoTime(), Codecs.utf8());
  private final BlockingQueue<String> handled = new LinkedBlockingQueue<>();

  // It was looked after on the threads of continuations.
  @Test
  void continuationsThatWaitDoNotHoldItUp() throws Exception {
    CountDownLatch end = new CountDownLatch(1);
    Semaphore waiting = new Semaphore(0);
    try (Relay relay = new Relay()) {
      relay.to(Broker.shared().port());
      try (Messaging messaging =
          Messaging.on(RabbitMqUnderTest.engine(relay.port(), "reconnect"))) {
        messaging.pull(queue, job -> handled.add(job.payload()));
        for (int i = 0; i < 2 * THREADS; i++) {
          messaging.push(queue, "before").thenRun(() -> {
            waiting.release();
            await(end);
          });
        }
        assertThat(waiting.tryAcquire(THREADS, 10, TimeUnit.SECONDS)).isTrue();
        relay.cut();
        messaging.push(queue, "after");
        String next = handled.poll(30, TimeUnit.SECONDS);
        while ("before".equals(next)) {
          next = handled.poll(30, TimeUnit.SECONDS);
        }
        assertThat(next).isEqualTo("after");
        assertThat(waiting.availablePermits())
            .as("continuations on more threads than these")
            .isZero();
      } finally {
        end.countDown();
      }
    }
  }

  private static void await(CountDownLatch end) {
    try {
      end.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
