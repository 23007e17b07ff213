package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Command;
import com.rabbitmq.client.TrafficListener;
import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingListener;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.testing.Relay;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** A queue of the broker answers nothing, as one without a leader; it holds up no other one. */
@Timeout(120)
@ExtendWith(WithBroker.class)
class UnansweredTest {
  private static final String PREFIX = "unanswered";

  private final WorkQueue<String> queue = WorkQueue.of("q" + System.nanoTime(), Codecs.utf8());
  private final WorkQueue<String> other = WorkQueue.of(queue.name() + "-other", Codecs.utf8());
  private final BlockingQueue<String> handled = new LinkedBlockingQueue<>();
  private final Queue<Throwable> lost = new ConcurrentLinkedQueue<>();
  private final Semaphore restored = new Semaphore(0);
  private final Semaphore asked = new Semaphore(0);
  private final Semaphore cancelled = new Semaphore(0);
  private String stuck = "";

  @AfterEach
  void resume() throws Exception {
    if (!stuck.isEmpty()) {
      Broker.shared().resume(stuck);
      stuck = "";
    }
  }

  private void suspend(String kind) throws Exception {
    stuck = PREFIX + '.' + kind + '.' + queue.name();
    Broker.shared().suspend(stuck);
  }

  // Each new session ended with the first subscription that got no answer.
  @Test
  void otherSubscriptionsComeBackWithoutIt() throws Exception {
    try (Relay relay = new Relay();
        Messaging messaging =
            Messaging.builder(engine(relay)).listener(new Events()).start()) {
      messaging.pull(queue, job -> handled.add(job.payload()));
      messaging.pull(other, job -> handled.add(job.payload()));
      suspend("suspect");
      relay.cut();

      assertThat(restored.tryAcquire(20, TimeUnit.SECONDS)).isTrue();
      assertThat(asked.tryAcquire(3, 30, TimeUnit.SECONDS)).as("asked again").isTrue();
      messaging.push(other, "other").get(20, TimeUnit.SECONDS);
      assertThat(handled.poll(20, TimeUnit.SECONDS)).isEqualTo("other");
      assertThat(lost).hasSize(1);

      resume();
      messaging.push(queue, "job").get(20, TimeUnit.SECONDS);
      assertThat(handled.poll(60, TimeUnit.SECONDS)).isEqualTo("job");
      assertThat(lost).hasSize(1);
    }
  }

  @Test
  void aWorkerThatCannotStartTellsWhy() throws Exception {
    try (Relay relay = new Relay();
        Messaging messaging =
            Messaging.builder(engine(relay)).listener(new Events()).start()) {
      messaging.declare(queue);
      suspend("suspect");

      assertThatThrownBy(() -> messaging.pull(queue, job -> handled.add(job.payload())))
          .isInstanceOf(BrokerAwayException.class)
          .hasMessageContaining("has not answered basic.consume within answerTimeout"
              + " (subscribing to " + queue.name() + ")");
      resume();
      messaging.push(queue, "job").get(20, TimeUnit.SECONDS);
      messaging.pull(queue, job -> handled.add(job.payload()));
      assertThat(handled.poll(60, TimeUnit.SECONDS)).isEqualTo("job");
      assertThat(lost).isEmpty();
    }
  }

  @Test
  void aWorkerThatWasPausedAsksAgain() throws Exception {
    try (Relay relay = new Relay();
        Messaging messaging =
            Messaging.builder(engine(relay)).listener(new Events()).start()) {
      Subscription worker = messaging.pull(queue, job -> handled.add(job.payload()));
      worker.pause();
      messaging.push(queue, "job").get(20, TimeUnit.SECONDS);
      assertThat(cancelled.tryAcquire(2, 20, TimeUnit.SECONDS)).isTrue();
      suspend("suspect");
      worker.resume();
      assertThat(asked.tryAcquire(2, 40, TimeUnit.SECONDS)).as("asked again").isTrue();
      resume();
      assertThat(handled.poll(60, TimeUnit.SECONDS)).isEqualTo("job");
      assertThat(lost).isEmpty();
    }
  }

  private RabbitMqEngine engine(Relay relay) throws Exception {
    relay.to(Broker.shared().port());
    return RabbitMqEngine.builder()
        .addresses("127.0.0.1:" + relay.port())
        .prefix(PREFIX)
        .maxBackoff(Duration.ofMillis(200))
        .answerTimeout(Duration.ofSeconds(4))
        .client(factory -> factory.setTrafficListener(new Questions()))
        .build();
  }

  private final class Events implements MessagingListener {
    @Override
    public void connectionLost(String where, Throwable cause) {
      lost.add(cause);
    }

    @Override
    public void connectionRestored(String where, Duration after) {
      restored.release();
    }
  }

  /** Counts how often the stuck queue is asked for its messages, and consumers that are ended. */
  private final class Questions implements TrafficListener {
    @Override
    public void write(Command command) {
      if (command.getMethod() instanceof AMQP.Basic.Consume consume
          && consume.getQueue().equals(stuck)) {
        asked.release();
      }
      if (command.getMethod() instanceof AMQP.Basic.Cancel) {
        cancelled.release();
      }
    }

    @Override
    public void read(Command command) {}
  }
}
