package dev.mullion.messaging.kafka;

import dev.mullion.messaging.DeadLetter.Reason;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Sink;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Headers;

/**
 * A worker's subscription to a queue or group. What cannot be expressed by an acknowledgement is a
 * copy: it is sent to the queue, to a retry topic or to the dead letters, and when all replicas
 * have it the original is accepted. A death in between makes a duplicate and loses nothing.
 */
final class QueueSource extends SharePool {
  private final Route.Queue queue;
  private final Sink sink;
  private final Names names;

  QueueSource(KafkaLink link, Route.Queue queue, int maxInFlight, Sink sink) {
    super(link, link.names().queue(queue), maxInFlight);
    this.queue = queue;
    this.sink = sink;
    this.names = link.names();
    link.movers().use(queue);
  }

  @Override
  public Held hold(ShareWorker worker, ConsumerRecord<byte[], byte[]> fetched) {
    return new Job(worker, fetched);
  }

  @Override
  void deliver(Held record) {
    Job job = (Job) record;
    if (Records.isExpired(record.fetched().headers())) {
      link().counts(queue).expired.increment();
      bury(job, Reason.EXPIRED, "time to live passed", job.failures() + job.losses());
    } else {
      job.delivered.set(true);
      link().counts(queue).inFlight.incrementAndGet();
      sink.deliver(job);
    }
  }

  @Override
  void returned(Held record) {
    record.settle(new Outcome.GiveBack(false));
  }

  @Override
  void closedNow() {
    link().movers().release(queue);
    link().closed(this);
  }

  private void bury(Job job, Reason reason, String error, int deliveries) {
    if (job.isFirst()) {
      link().letters(queue).bury(job.fetched(), job.message(), reason, error, deliveries, failed ->
          job.decide(failed == null ? AcknowledgeType.ACCEPT : AcknowledgeType.RELEASE));
    }
  }

  /** One message. */
  private final class Job extends Held {
    private final int failures;
    private final int losses;
    private final AtomicBoolean delivered = new AtomicBoolean();

    Job(ShareWorker worker, ConsumerRecord<byte[], byte[]> fetched) {
      super(worker, fetched, link().callbacks());
      Headers headers = fetched.headers();
      this.failures = Records.count(headers, Records.FAILURES);
      this.losses = Records.count(headers, Records.LOSSES) + brokerLosses();
    }

    @Override
    public String address() {
      if (queue.source().isEmpty()) {
        return queue.name();
      }
      String topic = Records.text(fetched().headers(), Records.TOPIC);
      return topic == null ? queue.source().get() : topic;
    }

    @Override
    public int failures() {
      return failures;
    }

    @Override
    public int losses() {
      return losses;
    }

    @Override
    public CompletionStage<Settlement> settle(Outcome outcome) {
      if (!(outcome instanceof Outcome.Bury)) {
        if (isFirst()) {
          apply(outcome);
        }
        return answer();
      }
      Outcome.Bury bury = (Outcome.Bury) outcome;
      // A delivery above the limit was not a call: it was only found to be one too many.
      int limit = queue.redelivery().maxDeliveries();
      int count = Math.min(failures + losses + 1, Math.max(limit, 1));
      bury(this, bury.reason(), bury.error(), count);
      return answer();
    }

    private void apply(Outcome outcome) {
      if (outcome instanceof Outcome.Redeliver again) {
        long delay = again.delay().toMillis();
        String topic = delay == 0 ? names.queue(queue) : names.retry(queue, delay);
        ProducerRecord<byte[], byte[]> copy = copy(topic, failures + 1, losses);
        if (delay > 0) {
          Records.set(
              copy.headers(), Records.DUE, Long.toString(System.currentTimeMillis() + delay));
        }
        replace(copy);
      } else if (outcome instanceof Outcome.GiveBack back) {
        int lost = losses + (back.counted() ? 1 : 0);
        whenQuiet(() -> replace(copy(names.queue(queue), failures, lost)));
      } else {
        decide(AcknowledgeType.ACCEPT);
      }
    }

    private ProducerRecord<byte[], byte[]> copy(String topic, int failed, int lost) {
      ProducerRecord<byte[], byte[]> copy = Records.copy(fetched(), topic);
      Records.set(copy.headers(), Records.FAILURES, Integer.toString(failed));
      Records.set(copy.headers(), Records.LOSSES, Integer.toString(lost));
      copy.headers().remove(Records.DUE);
      return copy;
    }

    /** Accepts the record once its copy is safe; if there is none, the broker counts. */
    private void replace(ProducerRecord<byte[], byte[]> copy) {
      link().sender().send(copy, (offset, error) -> {
        if (error != null) {
          link().failing(copy.topic(), error);
        }
        decide(error == null ? AcknowledgeType.ACCEPT : AcknowledgeType.RELEASE);
      });
    }

    @Override
    void over(Settlement settlement) {
      if (delivered.get()) {
        link().counts(queue).inFlight.decrementAndGet();
      } else {
        unused();
      }
    }
  }

}
