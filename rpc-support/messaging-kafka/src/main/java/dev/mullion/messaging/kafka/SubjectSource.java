package dev.mullion.messaging.kafka;

import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Sink;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.kafka.clients.admin.ShareGroupDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.errors.AuthorizationException;

/** A replier. A request is accepted before it is called, so there are never two answers. */
final class SubjectSource extends SharePool implements Upkept {
  private static final long UNTIMED_MILLIS = 30_000;
  private static final long LOOK_MILLIS = 30;

  private final String subject;
  private final Sink sink;
  private volatile boolean ended;

  SubjectSource(KafkaLink link, String subject, int maxInFlight, Sink sink) {
    super(link, link.names().subject(subject), maxInFlight);
    this.subject = subject;
    this.sink = sink;
  }

  /**
   * Completes when all consumers of the group have their partition: a request is kept, but has
   * little time.
   */
  @Override
  public CompletionStage<Void> ready() {
    CompletableFuture<Void> ready = new CompletableFuture<>();
    link().later(0, () -> look(ready));
    return ready;
  }

  private void look(CompletableFuture<Void> ready) {
    String group = link().names().subject(subject);
    KafkaFuture<ShareGroupDescription> asked =
        link().admin().describeShareGroups(List.of(group)).describedGroups().get(group);
    if (asked == null || ended) {
      link().tell(() -> ready.cancel(false));
      return;
    }
    asked.whenComplete((description, error) -> {
      if (error == null && haveJoined(description)) {
        link().tell(() -> ready.complete(null));
      } else if (error != null && Errors.cause(error) instanceof AuthorizationException) {
        MessagingException told =
            link().errors().of(error, "the members of subject " + subject, false);
        link().tell(() -> ready.completeExceptionally(told));
      } else {
        link().later(LOOK_MILLIS, () -> look(ready));
      }
    });
  }

  private boolean haveJoined(ShareGroupDescription description) {
    long own = link().sources().keySet().stream()
        .filter(each -> each instanceof SubjectSource other && other.subject.equals(subject))
        .count();
    return description.members().size() >= own
        && description.members().stream()
            .noneMatch(member -> member.assignment().topicPartitions().isEmpty());
  }

  @Override
  public void lookAround() {
    restartIfAnother();
  }

  @Override
  public void cancel() {
    ended = true;
    super.cancel();
  }

  @Override
  public Held hold(ShareWorker worker, ConsumerRecord<byte[], byte[]> fetched) {
    return new Request(worker, fetched);
  }

  @Override
  void deliver(Held held) {
    Request request = (Request) held;
    if (request.timeLeft().isNegative() || request.timeLeft().isZero()) {
      request.settle(new Outcome.Acknowledge()); // its caller is gone
    } else {
      request.delivered = true;
      sink.deliver(request);
    }
  }

  /** A caller waits. While a commit is under way, the next ones gather. */
  @Override
  public long lingerNanos() {
    return 0;
  }

  @Override
  void returned(Held held) {
    held.settle(new Outcome.GiveBack(false));
  }

  @Override
  void closedNow() {
    link().closed(this);
  }

  private final class Request extends Held implements RawDelivery.Request {
    private final long deadline;
    private volatile boolean delivered;

    Request(ShareWorker worker, ConsumerRecord<byte[], byte[]> fetched) {
      super(worker, fetched);
      this.deadline = Records.number(
          fetched.headers(), Requests.DEADLINE, fetched.timestamp() + UNTIMED_MILLIS);
    }

    @Override
    public String address() {
      return subject;
    }

    @Override
    public Duration timeLeft() {
      return Duration.ofMillis(deadline - System.currentTimeMillis());
    }

    @Override
    public long id() {
      return Records.number(fetched().headers(), Requests.REQUEST_ID, 0);
    }

    @Override
    public CompletionStage<Settlement> settle(Outcome outcome) {
      return acceptOrRelease(outcome);
    }

    @Override
    public CompletionStage<Void> reply(Reply reply) {
      ProducerRecord<byte[], byte[]> answer =
          Requests.reply(fetched(), reply, link().names().replies());
      return answer == null
          ? CompletableFuture.completedStage(null)
          : link().sender().send(answer, () -> "a reply of subject " + subject);
    }

    @Override
    void over(Settlement settlement) {
      if (!delivered) {
        unused();
      }
    }
  }
}
