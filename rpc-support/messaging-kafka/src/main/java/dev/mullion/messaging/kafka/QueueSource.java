package dev.mullion.messaging.kafka;

import dev.mullion.messaging.DeadLetter.Reason;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Sink;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.jspecify.annotations.Nullable;

/**
 * A worker's subscription to a queue or group. What cannot be expressed by an acknowledgement is a
 * copy: it is sent to the queue, to a retry topic or to the dead letters, and when all replicas
 * have it the original is accepted. A death in between makes a duplicate and loses nothing.
 */
final class QueueSource extends SharePool implements Upkept {
  private static final long COPY_AGAIN_MILLIS = 500;

  private final Route.Queue queue;
  private final Sink sink;
  private final Names names;
  private final KafkaLink.Counts counts;
  private final Suspects suspects;
  private final AtomicInteger moving = new AtomicInteger(); // to the suspects

  QueueSource(KafkaLink link, Route.Queue queue, int maxInFlight, Sink sink) {
    super(link, link.names().queue(queue), maxInFlight);
    this.queue = queue;
    this.sink = sink;
    this.names = link.names();
    this.counts = link.counts(queue);
    this.suspects = new Suspects(link, link.names().suspects(queue));
    link.movers().use(queue);
    link.background(() -> {
      lookAround();
      return true;
    });
  }

  @Override
  public Held hold(ShareWorker worker, ConsumerRecord<byte[], byte[]> fetched) {
    return new Job(worker, fetched, this);
  }

  @Override
  void deliverAll(List<Held> records) {
    List<Job> passed = new ArrayList<>(records.size());
    for (Held each : records) {
      Job job = (Job) each;
      if (job.losses > 0) {
        isolate(job);
      } else if (begins(job)) {
        passed.add(job);
      }
    }
    sink.deliver(passed);
  }

  @Override
  void deliver(Held record) {
    deliverAll(List.of(record));
  }

  /**
   * Moves a message that may have killed its worker to a topic of its own. Only one of these is
   * held at a time, so that the next death counts for the one that has caused it.
   */
  private void isolate(Job job) {
    moving.incrementAndGet();
    job.moved = true;
    if (job.isFirst()) {
      job.replace(job.copy(names.suspects(queue), job.failures, job.losses));
    }
    suspects.activate();
  }

  private void pass(Job job) {
    if (begins(job)) {
      sink.deliver(job);
    }
  }

  /** Buries a message that has expired; else it is about to be delivered. */
  private boolean begins(Job job) {
    if (job.envelope().isExpired()) {
      counts.expired.increment();
      bury(job, Reason.EXPIRED, "time to live passed", job.failures() + job.losses());
      return false;
    }
    job.delivered = true;
    counts.inFlight.incrementAndGet();
    return true;
  }

  @Override
  void returned(Held record) {
    record.settle(new Outcome.GiveBack(false));
  }

  @Override
  public void request(int deliveries) {
    super.request(deliveries);
    suspects.passWaiting();
  }

  /** Also starts to fetch suspects if there are any, left by others perhaps. */
  @Override
  public void lookAround() {
    restartIfAnother();
    suspects.restartIfAnother();
    String topic = names.suspects(queue);
    if (!suspects.active.get()
        && !link().known().isMissing(topic) // or the question would take its whole time
        && link().upkeep().lag(topic) > 0) {
      suspects.activate();
    }
  }

  @Override
  public void cancel() {
    super.cancel();
    suspects.cancel();
    suspects.returnWaiting();
  }

  @Override
  public void close() {
    suspects.close();
    super.close();
  }

  @Override
  void closedNow() {
    link().movers().release(queue);
    link().closed(this);
  }

  /** Fetches suspects, one at a time; each then waits for credit of the worker. */
  private final class Suspects extends SharePool {
    private final AtomicBoolean active = new AtomicBoolean();
    private final AtomicReference<@Nullable Job> waiting = new AtomicReference<>();

    Suspects(KafkaLink link, String group) {
      super(link, group, 1);
    }

    void activate() {
      if (active.compareAndSet(false, true)) {
        request(1);
      }
    }

    @Override
    public Held hold(ShareWorker worker, ConsumerRecord<byte[], byte[]> fetched) {
      return new Job(worker, fetched, this);
    }

    @Override
    void deliver(Held record) {
      waiting.set((Job) record);
      passWaiting();
    }

    /** Passes the suspect on if there is credit, and if none is on its way here. */
    void passWaiting() {
      if (waiting.get() == null || moving.get() > 0 || !QueueSource.this.take()) {
        return;
      }
      Job job = waiting.getAndSet(null);
      if (job == null) {
        QueueSource.super.request(1);
      } else {
        pass(job);
      }
    }

    @Override
    void returned(Held record) {
      record.settle(new Outcome.GiveBack(false));
    }

    void returnWaiting() {
      Job job = waiting.getAndSet(null);
      if (job != null) {
        returned(job);
      }
    }

    @Override
    void closedNow() {}
  }

  private void bury(Job job, Reason reason, String error, int deliveries) {
    if (job.isFirst()) {
      job.copied(
          names.dead(queue),
          1,
          done -> link()
              .letters(queue)
              .bury(job.fetched(), job.message(), reason, error, deliveries, done));
    }
  }

  /** Makes a copy, and tells what became of it. */
  private interface Copying {
    void start(Letters.Buried done);
  }

  /** One message. */
  private final class Job extends Held {
    private final SharePool pool;
    private final int failures;
    private final int losses;
    private volatile boolean delivered;
    private volatile boolean moved;

    Job(ShareWorker worker, ConsumerRecord<byte[], byte[]> fetched, SharePool pool) {
      super(worker, fetched);
      this.pool = pool;
      this.failures = envelope().failures();
      this.losses = envelope().losses() + brokerLosses();
    }

    @Override
    public String address() {
      return names.address(queue, fetched());
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
      if (outcome instanceof Outcome.Bury bury) {
        int deliveries = link().letters(queue).deliveries(failures + losses);
        bury(this, bury.reason(), bury.error(), deliveries);
      } else if (isFirst()) {
        apply(outcome);
      }
      return answer();
    }

    private void apply(Outcome outcome) {
      if (outcome instanceof Outcome.Redeliver again) {
        redeliver(again.delay().toMillis());
      } else if (outcome instanceof Outcome.GiveBack back) {
        int lost = losses + (back.counted() ? 1 : 0);
        String topic = lost > 0 ? names.suspects(queue) : names.queue(queue);
        pool.whenQuiet(() -> replace(copy(topic, failures, lost)));
      } else {
        decide(AcknowledgeType.ACCEPT);
      }
    }

    private void redeliver(long delay) {
      String topic = delay == 0 ? names.queue(queue) : names.retry(queue, delay);
      ProducerRecord<byte[], byte[]> copy = copy(topic, failures + 1, losses);
      if (delay > 0) {
        long due = System.currentTimeMillis() + delay;
        Records.set(copy.headers(), Records.DUE, Long.toString(due));
      }
      replace(copy);
    }

    private ProducerRecord<byte[], byte[]> copy(String topic, int failed, int lost) {
      ProducerRecord<byte[], byte[]> copy = Records.copy(fetched(), topic);
      Records.set(copy.headers(), Records.FAILURES, Integer.toString(failed));
      Records.set(copy.headers(), Records.LOSSES, Integer.toString(lost));
      return copy;
    }

    private void replace(ProducerRecord<byte[], byte[]> copy) {
      copied(copy.topic(), 1, done -> send(copy, done));
    }

    private void send(ProducerRecord<byte[], byte[]> copy, Letters.Buried done) {
      link().sender().send(copy, (offset, error) -> {
        if (error != null && Errors.isForEver(error)) {
          int deliveries = failures + losses + (delivered ? 1 : 0);
          link().letters(queue).buryWithoutCopy(fetched(), error, deliveries, done);
        } else {
          done.buried(error);
        }
      });
    }

    /**
     * Accepts the record once its copy is safe. If there is none, the broker counts; but while the
     * copy's topic is missing, the record is held and copied again, or the broker would give it up.
     * The first attempt may fail before it is known that the topic is missing.
     */
    private void copied(String topic, int attempt, Copying copying) {
      long since = System.nanoTime();
      copying.start(error -> {
        if (error == null) {
          decide(AcknowledgeType.ACCEPT);
        } else if (isWanted()
            && Errors.maybeMissing(error)
            && (attempt == 1 || link().known().wasMissing(topic, since))) {
          link().later(COPY_AGAIN_MILLIS, () -> copied(topic, attempt + 1, copying));
        } else {
          link().failing(topic, error);
          decide(AcknowledgeType.RELEASE);
        }
      });
    }

    private boolean isWanted() {
      return !isAnswered() && !pool.isCancelled();
    }

    @Override
    void over(Settlement settlement) {
      if (delivered) {
        counts.inFlight.decrementAndGet();
      }
      if (moved && moving.decrementAndGet() == 0) {
        suspects.passWaiting();
      }
      if (!delivered || pool == suspects) {
        pool.unused();
      }
    }
  }
}
