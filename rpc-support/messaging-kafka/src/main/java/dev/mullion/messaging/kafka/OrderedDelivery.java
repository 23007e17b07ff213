package dev.mullion.messaging.kafka;

import dev.mullion.messaging.Message;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Settlement;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;

/** One delivery of a message of an ordered queue. */
final class OrderedDelivery implements RawDelivery {
  /** Whose deliveries they are. */
  interface Owner {
    /** Returns the topic or queue to which a message was sent. */
    String address(ConsumerRecord<byte[], byte[]> record);

    /** Takes what becomes of a delivery. */
    void settle(OrderedDelivery delivery, Outcome outcome);

    /** Takes notice that a delivery is no longer held, once for each that began. */
    void over();
  }

  private final Owner owner;
  private final TopicPartition place;
  private final ConsumerRecord<byte[], byte[]> record;
  private final Tries before;
  private final Envelope envelope;
  private final Message<byte[]> message;
  private final CompletableFuture<Settlement> answer = new CompletableFuture<>();
  private final AtomicBoolean settled = new AtomicBoolean();
  private final AtomicBoolean answered = new AtomicBoolean();
  private final AtomicBoolean inFlight = new AtomicBoolean();

  OrderedDelivery(
      Owner owner, TopicPartition place, ConsumerRecord<byte[], byte[]> record, Tries before) {
    this.owner = owner;
    this.place = place;
    this.record = record;
    this.before = before;
    this.envelope = new Envelope(record.headers());
    this.message = envelope.message(record);
  }

  TopicPartition place() {
    return place;
  }

  long offset() {
    return record.offset();
  }

  ConsumerRecord<byte[], byte[]> record() {
    return record;
  }

  boolean isExpired() {
    return envelope.isExpired();
  }

  /** Returns what had been tried before this delivery. */
  Tries before() {
    return before;
  }

  /** Marks as passed on; true once, and not if it was lost before. */
  boolean begins() {
    return !answered.get() && inFlight.compareAndSet(false, true);
  }

  /** Returns whether its handler may still run, even if it was lost. */
  boolean isCalled() {
    return inFlight.get() && !settled.get();
  }

  @Override
  public Message<byte[]> message() {
    return message;
  }

  @Override
  public String address() {
    return owner.address(record);
  }

  @Override
  public int failures() {
    return before.failures();
  }

  @Override
  public int losses() {
    return before.losses();
  }

  @Override
  public CompletionStage<Settlement> settle(Outcome outcome) {
    if (settled.compareAndSet(false, true) && !answered.get()) {
      owner.settle(this, outcome);
    }
    return answer;
  }

  /** Called once the outcome is committed, or cannot be any more. */
  void answered(Settlement settlement) {
    if (answered.compareAndSet(false, true)) {
      if (inFlight.get()) {
        owner.over();
      }
      answer.complete(settlement);
    }
  }

  void lost() {
    answered(Settlement.LEASE_LOST);
  }

  @Override
  public CompletionStage<Void> extend(Duration time) {
    return CompletableFuture.completedStage(null); // it is held until it is settled
  }
}
