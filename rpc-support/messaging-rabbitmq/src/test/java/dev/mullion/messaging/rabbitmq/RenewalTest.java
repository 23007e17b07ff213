package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Command;
import com.rabbitmq.client.TrafficListener;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingListener;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** A queue that rejects all of a channel gets a new channel, and the connection stays. */
@Timeout(120)
@ExtendWith(WithBroker.class)
class RenewalTest {
  private final Semaphore opened = new Semaphore(0);
  private final Queue<Throwable> lost = new ConcurrentLinkedQueue<>();
  private final WorkQueue<String> queue = WorkQueue.builder(
          "renewed-" + System.nanoTime(), Codecs.utf8())
      .capacity(2)
      .overflow(Overflow.BLOCK)
      .build();

  @Test
  void fullQueueLosesNothing() throws Exception {
    RabbitMqEngine engine = RabbitMqEngine.builder()
        .addresses(Broker.shared().address())
        .prefix("renewal")
        .client(factory -> factory.setTrafficListener(new Opened()))
        .build();
    Queue<String> handled = new ConcurrentLinkedQueue<>();
    Semaphore all = new Semaphore(0);
    List<CompletableFuture<Void>> pushed = new ArrayList<>();
    try (Messaging messaging = Messaging.builder(engine)
        .sendTimeout(Duration.ofSeconds(60))
        .listener(new Losses())
        .start()) {
      messaging.declare(queue);
      messaging.push(queue, "0").get(30, TimeUnit.SECONDS);
      opened.drainPermits();
      do {
        pushed.add(messaging.push(queue, "" + (pushed.size() + 1)));
      } while (isDoneSoon(pushed.get(pushed.size() - 1)));
      assertThat(opened.tryAcquire(2, 60, TimeUnit.SECONDS)).as("renewed twice").isTrue();
      messaging.pull(queue, job -> {
        handled.add(job.payload());
        all.release();
      });
      CompletableFuture.allOf(pushed.toArray(CompletableFuture[]::new)).get(60, TimeUnit.SECONDS);
      assertThat(all.tryAcquire(1 + pushed.size(), 60, TimeUnit.SECONDS)).isTrue();
    }
    assertThat(handled)
        .containsAll(
            IntStream.rangeClosed(0, pushed.size()).mapToObj(String::valueOf).toList());
    assertThat(lost).isEmpty();
  }

  /** A full queue tells so a little late, so it is filled by one push after another. */
  private static boolean isDoneSoon(CompletableFuture<Void> push) throws Exception {
    try {
      push.get(500, TimeUnit.MILLISECONDS);
      return true;
    } catch (TimeoutException e) {
      return false;
    }
  }

  private final class Losses implements MessagingListener {
    @Override
    public void connectionLost(String where, Throwable cause) {
      lost.add(cause);
    }
  }

  /** Counts channels that are opened. */
  private final class Opened implements TrafficListener {
    @Override
    public void write(Command command) {
      if (command.getMethod() instanceof AMQP.Channel.Open) {
        opened.release();
      }
    }

    @Override
    public void read(Command command) {}
  }
}
