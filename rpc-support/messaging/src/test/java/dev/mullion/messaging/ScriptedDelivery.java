package dev.mullion.messaging;

import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Settlement;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** One message that a {@link ScriptedSource} hands out, with all that was done to it. */
final class ScriptedDelivery implements RawDelivery.Request {
  private static final AtomicInteger IDS = new AtomicInteger();

  final String address;
  final Message<byte[]> message;
  final long id = IDS.incrementAndGet();
  final List<Outcome> outcomes = new CopyOnWriteArrayList<>();
  final List<Reply> replies = new CopyOnWriteArrayList<>();
  final List<Duration> extensions = new CopyOnWriteArrayList<>();
  final AtomicInteger begins = new AtomicInteger();
  int failures;
  int losses;
  Duration timeLeft = Duration.ofSeconds(30);

  /** Returns the engine's answers; complete with APPLIED unless a test sets another. */
  Function<Outcome, CompletionStage<Settlement>> answers =
      outcome -> CompletableFuture.completedFuture(Settlement.APPLIED);

  /** With what replies fail that are no errors. */
  @Nullable
  Throwable replyFailure;

  /** Called with the first outcome. */
  @Nullable
  Runnable settled;

  ScriptedDelivery(String address, Message<byte[]> message) {
    this.address = address;
    this.message = message;
  }

  static ScriptedDelivery of(String address, String text) {
    return new ScriptedDelivery(address, Message.of(text.getBytes(StandardCharsets.UTF_8)));
  }

  ScriptedDelivery failures(int failures) {
    this.failures = failures;
    return this;
  }

  ScriptedDelivery losses(int losses) {
    this.losses = losses;
    return this;
  }

  ScriptedDelivery answer(Settlement settlement) {
    answers = outcome -> CompletableFuture.completedFuture(settlement);
    return this;
  }

  String text() {
    return new String(message.payload(), StandardCharsets.UTF_8);
  }

  @Override
  public Message<byte[]> message() {
    return message;
  }

  @Override
  public String address() {
    return address;
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
  public void begin() {
    begins.incrementAndGet();
  }

  @Override
  public CompletionStage<Settlement> settle(Outcome outcome) {
    outcomes.add(outcome);
    CompletionStage<Settlement> answer = answers.apply(outcome);
    if (settled != null && outcomes.size() == 1) {
      settled.run();
    }
    return answer;
  }

  @Override
  public CompletionStage<Void> extend(Duration time) {
    extensions.add(time);
    return CompletableFuture.completedFuture(null);
  }

  @Override
  public Duration timeLeft() {
    return timeLeft;
  }

  @Override
  public CompletionStage<Void> reply(Reply reply) {
    replies.add(reply);
    return replyFailure == null || reply.status() != Reply.Status.OK
        ? CompletableFuture.completedFuture(null)
        : CompletableFuture.failedFuture(replyFailure);
  }

  @Override
  public long id() {
    return id;
  }

  @Override
  public String toString() {
    return text() + " " + outcomes + replies;
  }
}
