package dev.mullion.messaging;

import static dev.mullion.messaging.Receiving.await;
import static dev.mullion.messaging.Receiving.checked;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.engine.HandlerLostException;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Outcome.Acknowledge;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Reply.Status;
import dev.mullion.messaging.engine.Settlement;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ReplierTest {
  private static final Subject<String, String> SUBJECT =
      Subject.of("s", Codecs.utf8(), Codecs.utf8());

  private final Receiving receiving =
      new Receiving(new MessagingBuilder(new ScriptedEngine()).maxMessageSize(1000));
  private final CountDownLatch gate = new CountDownLatch(1);
  private final List<String> handled = new CopyOnWriteArrayList<>();

  @AfterEach
  void close() {
    gate.countDown();
    receiving.close();
  }

  private ReplierBuilder<String, String> replier() {
    return receiving.subscriptions.replier(SUBJECT);
  }

  private ScriptedDelivery push(String text) {
    return receiving.source("s").push(ScriptedDelivery.of("s", text));
  }

  private static Reply reply(ScriptedDelivery request) {
    await("the reply", () -> !request.replies.isEmpty());
    assertThat(request.replies).hasSize(1);
    assertThat(request.replies.get(0).id()).isEqualTo(request.id);
    return request.replies.get(0);
  }

  private static String text(Reply reply) {
    assertThat(reply.status()).isEqualTo(Status.OK);
    return new String(reply.message().orElseThrow().payload(), StandardCharsets.UTF_8);
  }

  @Test
  void acknowledgesThenRepliesWithTheCorrelationId() throws Exception {
    Subscription replier = replier().start(request -> {
      handled.add(request.deadline().toString());
      return request.payload() + "!";
    });
    ScriptedDelivery request = push("hello");
    Reply reply = reply(request);
    assertThat(text(reply)).isEqualTo("hello!");
    assertThat(reply.message().orElseThrow().correlationId()).contains(request.message.id());
    assertThat(reply.message().orElseThrow().contentType())
        .contains(Codecs.utf8().contentType());
    assertThat(request.outcomes).containsExactly(new Acknowledge());
    assertThat(handled)
        .containsExactly(Instant.ofEpochMilli(receiving.engine.clock.currentTimeMillis())
            .plusSeconds(30)
            .toString());
    await("the count", () -> checked(replier).acknowledged() == 1);
    ScriptedDelivery correlated = receiving
        .source("s")
        .push(new ScriptedDelivery("s", request.message.withCorrelationId("order 7")));
    assertThat(reply(correlated).message().orElseThrow().correlationId()).contains("order 7");
  }

  @Test
  void asynchronousRepliersAndWholeMessages() throws Exception {
    CompletableFuture<String> stage = new CompletableFuture<>();
    replier().concurrency(1).startAsync(request -> stage);
    ScriptedDelivery first = push("a");
    ScriptedDelivery second = push("b");
    await("the first", () -> first.begins.get() == 1);
    assertThat(second.begins).hasValue(0);
    stage.complete("later");
    assertThat(text(reply(first))).isEqualTo("later");
    assertThat(text(reply(second))).isEqualTo("later");
    replier()
        .startMessages(request -> CompletableFuture.completedFuture(
            Message.of("whole").withHeader("h", "1").withCorrelationId("own")));
    Message<byte[]> whole = reply(push("c")).message().orElseThrow();
    assertThat(whole.header("h")).contains("1");
    assertThat(whole.correlationId()).contains("own");
  }

  @Test
  @SuppressWarnings("NullAway") // what a user may do all the same
  void errorsReachTheCaller() throws Exception {
    Subscription replier = replier().start(request -> switch (request.payload()) {
      case "failed" -> throw new IllegalStateException("boom");
      case "silent" -> throw new IllegalStateException();
      case "rejected" -> throw new RejectedMessageException("never");
      case "undecodable" -> throw new UndecodableMessageException("half");
      case "lost" -> throw new HandlerLostException("gone", true);
      case "null" -> null;
      default -> "x".repeat(1001);
    });
    assertThat(reply(push("failed"))).matches(is(Status.FAILED, "boom"));
    assertThat(reply(push("silent"))).matches(is(Status.FAILED, "java.lang.IllegalStateException"));
    assertThat(reply(push("rejected"))).matches(is(Status.FAILED, "never"));
    assertThat(reply(push("undecodable"))).matches(is(Status.UNDECODABLE, "half"));
    assertThat(reply(push("lost"))).matches(is(Status.LOST, "gone"));
    assertThat(reply(push("null"))).matches(is(Status.FAILED, "the replier of s returned null"));
    Reply large = reply(push("large"));
    assertThat(large.status()).isEqualTo(Status.FAILED);
    assertThat(large.error()).contains("exceeds maxMessageSize 1000 (reply of subject s)");
    ScriptedDelivery malformed =
        receiving.source("s").push(new ScriptedDelivery("s", Message.of(new byte[] {(byte) 0xFF})));
    assertThat(reply(malformed).status()).isEqualTo(Status.UNDECODABLE);
    await("the counts", () -> checked(replier).failed() == 5);
    assertThat(replier.counters().undecodable()).isEqualTo(2);
    assertThat(replier.counters().rejected()).isOne();
  }

  // The caller waited until its timeout.
  @Test
  void replyThatTheEngineFindsTooLargeIsAnError() throws Exception {
    replier().start(request -> "reply");
    ScriptedDelivery large = ScriptedDelivery.of("s", "request");
    large.replyFailure = new MessageTooLargeException("maxMessageBytes 100");
    receiving.source("s").push(large);
    await("the error", () -> large.replies.size() == 2);
    assertThat(large.replies.get(1)).matches(is(Status.FAILED, "maxMessageBytes 100"));
    assertThat(large.replies.get(1).id()).isEqualTo(large.id);
    ScriptedDelivery lost = ScriptedDelivery.of("s", "request");
    lost.replyFailure = new BrokerAwayException("away", null, true);
    receiving.source("s").push(lost);
    ScriptedDelivery next = push("next");
    assertThat(text(reply(next))).isEqualTo("reply");
    assertThat(lost.replies).hasSize(1);
  }

  private static java.util.function.Predicate<Reply> is(Status status, String error) {
    return reply -> reply.status() == status && reply.error().equals(error);
  }

  @Test
  void requestThatIsNotOursIsNotAnswered() throws Exception {
    Subscription replier = replier().start(request -> handled.add("x") ? "y" : "z");
    for (Settlement settlement : List.of(Settlement.LEASE_LOST, Settlement.UNKNOWN)) {
      ScriptedDelivery request =
          receiving.source("s").push(ScriptedDelivery.of("s", "a").answer(settlement));
      await("the acknowledgement", () -> request.outcomes.size() == 1);
    }
    await("both", () -> checked(replier).givenBack() == 2);
    assertThat(replier.counters().leasesLost()).isOne();
    assertThat(handled).isEmpty();
  }

  @Test
  void waitsForTheAcknowledgementWithoutAThread() throws Exception {
    CompletableFuture<Settlement> answer = new CompletableFuture<>();
    Subscription replier = replier().concurrency(1).start(request -> {
      handled.add(request.payload());
      return "reply";
    });
    ScriptedDelivery first = ScriptedDelivery.of("s", "a");
    first.answers = outcome -> answer;
    receiving.source("s").push(first);
    ScriptedDelivery second = push("b");
    await("the acknowledgement", () -> first.outcomes.size() == 1);
    assertThat(receiving.subscriptions.handlersWaiting()).isZero();
    assertThat(handled).isEmpty();
    assertThat(checked(replier).inFlight()).isOne();
    answer.complete(Settlement.APPLIED);
    assertThat(text(reply(first))).isEqualTo("reply");
    assertThat(text(reply(second))).isEqualTo("reply");
    assertThat(handled).containsExactly("a", "b");
  }

  @Test
  void requestWhoseTimeIsOverIsNotAnswered() throws Exception {
    Subscription replier = replier().start(request -> handled.add("x") ? "y" : "z");
    ScriptedDelivery late = ScriptedDelivery.of("s", "a");
    late.timeLeft = Duration.ZERO;
    receiving.source("s").push(late);
    await("the count", () -> checked(replier).timedOut() == 1);
    assertThat(late.outcomes).containsExactly(new Acknowledge());
    assertThat(late.replies).isEmpty();
    assertThat(handled).isEmpty();
  }

  @Test
  void stopAnswersWhatItInterruptsAndGivesBackTheRest() throws Exception {
    Subscription replier = replier().concurrency(1).start(request -> {
      gate.await();
      return "late";
    });
    ScriptedDelivery running = push("a");
    await("the handler", () -> running.begins.get() == 1);
    ScriptedDelivery accepting = ScriptedDelivery.of("s", "b");
    receiving.source("s").sink.deliver(accepting);
    StopReport report = replier.stop(Duration.ofMillis(20));
    assertThat(report.interrupted()).isOne();
    assertThat(report.givenBack()).isOne();
    assertThat(reply(running).status()).isEqualTo(Status.LOST);
    assertThat(accepting.outcomes).containsExactly(new Outcome.GiveBack(false));
    await("the late return", () -> checked(replier).lateReturns() == 1);
    assertThat(running.replies).hasSize(1);
  }
}
