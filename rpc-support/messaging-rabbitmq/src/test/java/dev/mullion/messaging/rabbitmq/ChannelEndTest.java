package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingListener;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** When the broker closes a channel, only the subscription that has it ends or begins again. */
@Timeout(120)
@ExtendWith(WithBroker.class)
class ChannelEndTest {
  private static final long CONSUMER_TIMEOUT = 500;

  private final WorkQueue<String> queue = queue("own");
  private final WorkQueue<String> other = queue("other");
  private final BlockingQueue<String> handled = new LinkedBlockingQueue<>();
  private final BlockingQueue<String> handledByOther = new LinkedBlockingQueue<>();
  private final Queue<Throwable> losses = new ConcurrentLinkedQueue<>();
  private final CountDownLatch returns = new CountDownLatch(1);
  private Messaging messaging;

  private static WorkQueue<String> queue(String name) {
    return WorkQueue.of("end-" + name + System.nanoTime(), Codecs.utf8());
  }

  @BeforeEach
  void start() throws Exception {
    RabbitMqEngine engine = RabbitMqUnderTest.engine(Broker.shared().port(), "ends");
    messaging = Messaging.builder(engine)
        .listener(new MessagingListener() {
          @Override
          public void connectionLost(String where, Throwable cause) {
            losses.add(cause);
          }
        })
        .start();
    messaging.pull(other, job -> handledByOther.add(job.payload()));
  }

  @AfterEach
  void close() {
    returns.countDown();
    messaging.close();
  }

  @Test
  void queueThatIsDeletedWhileItsWorkerHasGivenBack() throws Exception {
    Subscription worker = messaging.pull(queue, job -> handled.add(job.payload()));
    worker.pause();
    messaging.push(queue, "waits for too long").get(10, TimeUnit.SECONDS);
    await(() -> status().consumers() == 0);
    deleteQueue();
    worker.resume();
    assertThat(cause(worker))
        .isInstanceOf(MissingAddressException.class)
        .hasMessageContaining("ends.queue." + queue.name());
    assertOthersGoOn();
  }

  @Test
  void queueThatIsDeletedWhileItIsConsumed() throws Exception {
    Subscription worker = messaging.pull(queue, job -> handled.add(job.payload()));
    deleteQueue();
    assertThat(cause(worker)).isInstanceOf(MissingAddressException.class);
    assertOthersGoOn();
  }

  @Test
  void handlerThatTheBrokerDoesNotWaitFor() throws Exception {
    set("consumer_timeout", "" + CONSUMER_TIMEOUT);
    set("channel_tick_interval", "" + CONSUMER_TIMEOUT);
    try {
      messaging.pull(queue, job -> {
        returns.await();
        handled.add(job.payload() + " " + job.deliveryCount());
      });
      messaging.push(queue, "job").get(10, TimeUnit.SECONDS);
      await(() -> status().inFlight() == 2); // the broker has handed it out again
    } finally {
      set("consumer_timeout", "1800000");
      set("channel_tick_interval", "60000");
    }
    returns.countDown();
    assertThat(handled.poll(30, TimeUnit.SECONDS)).isEqualTo("job 1");
    assertThat(handled.poll(30, TimeUnit.SECONDS)).isEqualTo("job 2");
    assertOthersGoOn();
  }

  private static void set(String setting, String value) throws Exception {
    Broker.shared().control("eval", "application:set_env(rabbit, " + setting + ", " + value + ").");
  }

  private void deleteQueue() throws Exception {
    try (Connection operator = Plain.connect(Broker.shared().port());
        Channel channel = operator.createChannel()) {
      channel.queueDelete("ends.queue." + queue.name());
    }
  }

  private QueueStatus status() {
    return messaging.queues().toCompletableFuture().join().stream()
        .filter(each -> each.name().equals(queue.name()))
        .findFirst()
        .orElseThrow();
  }

  /** Returns why a subscription has ended. */
  private static @Nullable Throwable cause(Subscription ended) throws Exception {
    await(() -> ended.ready().toCompletableFuture().isCompletedExceptionally());
    try {
      ended.ready().toCompletableFuture().join();
      throw new AssertionError("it is ready");
    } catch (CompletionException e) {
      return e.getCause();
    }
  }

  private void assertOthersGoOn() throws Exception {
    messaging.push(other, "job of another").get(10, TimeUnit.SECONDS);
    assertThat(handledByOther.poll(10, TimeUnit.SECONDS)).isEqualTo("job of another");
    assertThat(losses).isEmpty();
  }

  /** What is waited for. */
  private interface Condition {
    boolean holds() throws Exception;
  }

  private static void await(Condition condition) throws Exception {
    long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    while (!condition.holds()) {
      assertThat(System.nanoTime()).isLessThan(end);
      TimeUnit.MILLISECONDS.sleep(10);
    }
  }
}
