package dev.mullion.messaging.kafka;

import dev.mullion.messaging.Message;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Settlement;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** A record that a share consumer has acquired, from its arrival to its settlement. */
abstract class Held implements RawDelivery {
  private final ShareWorker worker;
  private final CompletableFuture<Settlement> answer = new CompletableFuture<>();
  private final AtomicBoolean settled = new AtomicBoolean();
  private final AtomicBoolean answered = new AtomicBoolean();
  private final Message<byte[]> message;
  private final Envelope envelope;
  private ConsumerRecord<byte[], byte[]> fetched; // of the polling thread, once it is delivered
  private boolean held = true; // of the polling thread
  private volatile AcknowledgeType decision = AcknowledgeType.RELEASE;

  Held(ShareWorker worker, ConsumerRecord<byte[], byte[]> fetched) {
    this.worker = worker;
    this.fetched = fetched;
    this.envelope = new Envelope(fetched.headers());
    this.message = envelope.message(fetched);
  }

  ConsumerRecord<byte[], byte[]> fetched() {
    return fetched;
  }

  Envelope envelope() {
    return envelope;
  }

  /** Puts the record in place that came back after a renewal; another object of the same. */
  void renewed(ConsumerRecord<byte[], byte[]> again) {
    fetched = again;
  }

  /** Returns whether its consumer still has to acknowledge it. */
  boolean isHeld() {
    return held;
  }

  void leave() {
    held = false;
  }

  long offset() {
    return fetched.offset();
  }

  AcknowledgeType decision() {
    return decision;
  }

  /** Returns how many deliveries the broker knows of that ended without an outcome. */
  int brokerLosses() {
    return fetched.deliveryCount().map(count -> Math.max(0, count - 1)).orElse(0);
  }

  @Override
  public Message<byte[]> message() {
    return message;
  }

  @Override
  public int failures() {
    return 0; // only what is in a queue is delivered again
  }

  @Override
  public int losses() {
    return 0;
  }

  /** Marks as settled; false if it was, or if it is no longer held. */
  final boolean isFirst() {
    return settled.compareAndSet(false, true) && !answered.get();
  }

  /** Returns whether it is no longer held, whatever is decided. */
  final boolean isAnswered() {
    return answered.get();
  }

  final CompletionStage<Settlement> answer() {
    return answer;
  }

  /** Tells the polling thread what to acknowledge. */
  final void decide(AcknowledgeType type) {
    decision = type;
    if (!worker.decide(this)) {
      answered(Settlement.LEASE_LOST);
    }
  }

  /** Called once the broker has answered, or cannot any more. */
  final void answered(Settlement settlement) {
    if (answered.compareAndSet(false, true)) {
      over(settlement);
      answer.complete(settlement);
    }
  }

  /** Accepts the record, or releases it; for what has no other outcomes. */
  final CompletionStage<Settlement> acceptOrRelease(Outcome outcome) {
    if (isFirst()) {
      decide(
          outcome instanceof Outcome.Acknowledge
              ? AcknowledgeType.ACCEPT
              : AcknowledgeType.RELEASE);
    }
    return answer();
  }

  /** Called once, when the record is no longer held. */
  abstract void over(Settlement settlement);

  @Override
  public CompletionStage<Void> extend(Duration time) {
    return CompletableFuture.completedStage(null); // the lock is renewed for as long as it is held
  }
}
