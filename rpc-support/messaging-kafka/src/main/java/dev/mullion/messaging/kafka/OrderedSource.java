package dev.mullion.messaging.kafka;

import dev.mullion.messaging.DeadLetter.Reason;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jspecify.annotations.Nullable;

/**
 * A worker's subscription to an ordered queue or group. Nothing is copied but dead letters, since a
 * copy would come behind later messages of its key: what was tried is kept where the consumer group
 * keeps its offsets.
 */
final class OrderedSource implements Source, OrderedDelivery.Owner {
  private static final Duration CLOSE = Duration.ofSeconds(3);
  private static final Duration BURY_AGAIN = Duration.ofSeconds(1);

  private final KafkaLink link;
  private final Route.Queue queue;
  private final Sink sink;
  private final KafkaLink.Counts counts;
  private final OrderedWorker worker;
  private final AtomicBoolean closed = new AtomicBoolean();

  OrderedSource(KafkaLink link, Route.Queue queue, ConsumerSettings settings, Sink sink) {
    this.link = link;
    this.queue = queue;
    this.sink = sink;
    this.counts = link.counts(queue);
    this.worker = new OrderedWorker(link, this, settings.concurrency());
    link.movers().use(queue);
    worker.start();
  }

  Route.Queue queue() {
    return queue;
  }

  @Override
  public String address(ConsumerRecord<byte[], byte[]> record) {
    return link.names().address(queue, record);
  }

  /** Passes a delivery on that is committed as handed out. */
  void pass(OrderedDelivery delivery) {
    if (delivery.isExpired()) {
      counts.expired.increment();
      worker.request(1);
      Tries before = delivery.before();
      bury(delivery, Reason.EXPIRED, "time to live passed", before.failures() + before.losses());
    } else if (delivery.begins()) {
      counts.inFlight.incrementAndGet();
      sink.deliver(delivery);
    } else { // lost before
      worker.request(1);
    }
  }

  @Override
  public void over() {
    counts.inFlight.decrementAndGet();
  }

  @Override
  public void settle(OrderedDelivery delivery, Outcome outcome) {
    Tries before = delivery.before();
    if (outcome instanceof Outcome.Bury bury) {
      int deliveries = link.letters(queue).deliveries(before.failures() + before.losses());
      bury(delivery, bury.reason(), bury.error(), deliveries);
    } else {
      worker.decide(delivery, then(before, outcome));
    }
  }

  /** Returns what is known of a message after this outcome; null if it is settled. */
  private static @Nullable Tries then(Tries before, Outcome outcome) {
    if (outcome instanceof Outcome.Redeliver again) {
      return before.failed(due(again.delay()));
    }
    if (outcome instanceof Outcome.GiveBack back) {
      return back.counted() ? before.lost() : before.givenBack();
    }
    return null;
  }

  private static long due(Duration delay) {
    return delay.isZero() ? 0 : System.currentTimeMillis() + Records.millis(delay);
  }

  /** Makes a dead letter; if that fails the delivery counts, and a further one buries again. */
  private void bury(OrderedDelivery delivery, Reason reason, String error, int deliveries) {
    Letters letters = link.letters(queue);
    letters.bury(delivery.record(), delivery.message(), reason, error, deliveries, failed -> {
      if (failed != null && !Errors.isMissing(failed)) { // or the upkeep of topics tells it
        link.failing(letters.partition().topic(), failed);
      }
      worker.decide(delivery, failed == null ? null : delivery.before().failed(due(BURY_AGAIN)));
    });
  }

  @Override
  public void request(int deliveries) {
    worker.request(deliveries);
  }

  @Override
  public CompletionStage<Void> ready() {
    return CompletableFuture.completedStage(null); // what is sent is kept until it is settled
  }

  @Override
  public void cancel() {
    worker.stop();
  }

  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    worker.close();
    try {
      if (!worker.awaitEnd(CLOSE)) {
        Logs.warn("close", "the consumer of " + queue.id() + " has not ended yet", null);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      link.movers().release(queue);
      link.closed(this);
    }
  }
}
