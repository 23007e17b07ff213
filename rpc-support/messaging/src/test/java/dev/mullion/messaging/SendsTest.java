package dev.mullion.messaging;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.engine.EngineLink.Declaration;
import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class SendsTest extends CoreTest {

  /** A codec that fails in every way that a test asks for. */
  private record Failing(Throwable error) implements MessageCodec<String> {
    @Override
    public byte[] encode(String payload) {
      return SendsTest.<RuntimeException, byte[]>sneak(error);
    }

    @Override
    public String decode(byte[] payload, String contentType) {
      return SendsTest.<RuntimeException, String>sneak(error);
    }

    @Override
    public String contentType() {
      return "text/plain";
    }
  }

  @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
  private static <E extends Throwable, V> V sneak(Throwable error) throws E {
    throw (E) error;
  }

  @Test
  void messageArrivesEncodedWithItsCodecsContentType() throws Exception {
    Messaging messaging = start();
    Message<String> sent =
        Message.of("é").withId("17").withKey("k").withHeader("h", "v").withCorrelationId("c");

    assertThat(messaging.pushMessage(JOBS, sent)).isCompleted();
    messaging.pushMessage(JOBS, sent.withContentType("text/x"));

    Message<byte[]> got = engine.messages.get(0);
    assertThat(got.payload()).isEqualTo("é".getBytes(UTF_8));
    assertThat(got.contentType()).contains("text/plain; charset=utf-8");
    assertThat(got.id()).isEqualTo("17");
    assertThat(got.key()).contains("k");
    assertThat(got.header("h")).contains("v");
    assertThat(got.correlationId()).contains("c");
    assertThat(got.timestamp()).isEqualTo(sent.timestamp());
    assertThat(engine.messages.get(1).contentType()).contains("text/x");
    assertThat(messaging.counters().accepted()).isEqualTo(2);
  }

  @Test
  void messageOfASubtypeGoesOutOnceAndNotNested() throws Exception {
    Messaging messaging = start();
    Topic<Number> numbers = Topic.of("numbers", new MessageCodec<>() {
      @Override
      public byte[] encode(Number payload) {
        return payload.toString().getBytes(UTF_8);
      }

      @Override
      public Number decode(byte[] payload, String contentType) {
        return Integer.valueOf(new String(payload, UTF_8));
      }

      @Override
      public String contentType() {
        return "text/plain";
      }
    });

    Message<Integer> seven = Message.of(7);
    messaging.publishMessage(numbers, seven);

    assertThat(engine.messages).hasSize(1);
    assertThat(engine.messages.get(0).payload()).isEqualTo(new byte[] {'7'});
  }

  @Test
  void generatedIdIsKept() throws Exception {
    Messaging messaging = start();
    Message<String> message = Message.of("x");

    messaging.publishMessage(ORDERS, message);

    assertThat(engine.messages.get(0).id()).isEqualTo(message.id());
  }

  @Test
  void routeIsPreparedOnceAndAgainAfterItsConnectionIsBack() throws Exception {
    Messaging messaging = start();
    messaging.push(JOBS, "1");
    messaging.push(WorkQueue.of("jobs", Codecs.utf8()), "2"); // an equal one
    messaging.publish(ORDERS, "3");
    assertThat(engine.calls).containsExactly("open", "prepare jobs CHECK", "prepare orders CHECK");

    engine.context().events().connectionRestored("here", Duration.ofSeconds(1));
    messaging.push(JOBS, "4");

    assertThat(engine.calls).hasSize(4).last().isEqualTo("prepare jobs CHECK");
    assertThat(messaging.counters().reconnects()).isEqualTo(1);
  }

  @Test
  void prepareThatFailsFailsTheFutureAndIsTriedAgain() throws Exception {
    AtomicInteger tries = new AtomicInteger();
    engine.preparing = (route, declaration) -> {
      if (tries.incrementAndGet() == 1) {
        throw new ConflictingDeclarationException("other settings");
      }
    };
    Messaging messaging = start();

    assertThat(failure(messaging.push(JOBS, "1"))).hasMessage("other settings");
    assertThat(messaging.push(JOBS, "2")).isCompleted();
    assertThat(messaging.counters().failed()).isEqualTo(1);
  }

  @Test
  void groupCannotBePushedTo() throws Exception {
    Messaging messaging = start();

    assertThatThrownBy(() -> messaging.push(ORDERS.group("archive"), "x"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("queue: archive is a group of topic orders"
            + " (expected: a queue; publish to the topic instead)");
  }

  @Test
  void patternCannotBePublishedTo() throws Exception {
    Messaging messaging = start();

    for (String pattern : new String[] {"orders.*", "orders.#", "*.x", "#"}) {
      assertThatThrownBy(() -> messaging.publish(ORDERS.named(pattern), "x"))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "topic: \"" + pattern + "\" (expected: no pattern, which can only be subscribed to)");
    }
    assertThat(messaging.counters().sent()).isZero();
  }

  @Test
  void reservedHeadersAreRefused() throws Exception {
    Messaging messaging = start();
    Message<String> message = Message.of("x").withHeader("Mullion-Failures", "1");
    String text = "header: \"Mullion-Failures\""
        + " (expected: not to begin with mullion-, which is reserved for engines)";

    assertThatThrownBy(() -> messaging.pushMessage(JOBS, message)).hasMessage(text);
    assertThatThrownBy(() -> messaging.publishMessage(ORDERS, message)).hasMessage(text);
    assertThatThrownBy(() -> messaging.sendMessage(TICKS, message)).hasMessage(text);
    assertThatThrownBy(() -> messaging.requestMessage(CAPITALS, message, Duration.ofSeconds(1)))
        .hasMessage(text);
    assertThat(messaging.pushMessage(JOBS, Message.of("x").withHeader("mullion", "1")))
        .isCompleted();
  }

  @Test
  void nullsAreNamed() throws Exception {
    Messaging messaging = start();

    assertThatThrownBy(() -> messaging.push(nothing(), "x")).hasMessage("queue");
    assertThatThrownBy(() -> messaging.publish(nothing(), "x")).hasMessage("topic");
    assertThatThrownBy(() -> messaging.pushMessage(JOBS, SendsTest.<Message<String>>nothing()))
        .hasMessage("message");
    assertThatThrownBy(() -> messaging.push(JOBS, SendsTest.<String>nothing()))
        .hasMessage("payload");
  }

  @SuppressWarnings({"NullAway", "TypeParameterUnusedInFormals"})
  private static <T> T nothing() {
    return null;
  }

  @Test
  void sizeIsBoundedWithAllThatIsSent() throws Exception {
    Messaging messaging = start(settings().maxMessageSize(100));
    String type = "text/plain; charset=utf-8"; // 25
    Message<String> message = Message.of("x".repeat(60)) // 60
        .withId("é4") // 3
        .withKey("€") // 3
        .withHeader("😀", "v") // 5
        .withCorrelationId("1234"); // 4

    assertThat(messaging.pushMessage(JOBS, message)).isCompleted();
    assertThat(failure(messaging.pushMessage(JOBS, message.withPayload("x".repeat(61)))))
        .isInstanceOf(MessageTooLargeException.class)
        .hasMessage("message of 101 bytes (payload 61, headers and the like 40)"
            + " exceeds maxMessageSize 100 (queue jobs)");
    assertThat(type).hasSize(25);
    assertThatThrownBy(() -> messaging.send(TICKS, "x".repeat(101)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("exceeds maxMessageSize 100 (signal ticks)")
        .hasCauseInstanceOf(MessageTooLargeException.class);
    assertThat(engine.messages).hasSize(1);
    assertThat(messaging.counters().failed()).isEqualTo(2);
  }

  @Test
  void sizeOfGeneratedIdIsCounted() throws Exception {
    Message<String> message = Message.of("x");
    Messaging messaging = start(settings().maxMessageSize(1 + message.id().length() + 25));

    assertThat(messaging.pushMessage(JOBS, message)).isCompleted();
    assertThat(failure(messaging.pushMessage(JOBS, message.withPayload("xy"))))
        .isInstanceOf(MessageTooLargeException.class);
  }

  @Test
  void limitsThatDoNotFitAreRefused() {
    assertThatThrownBy(() -> settings().maxPendingBytes(100).start())
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("maxPendingBytes: 100 (expected: >= maxMessageSize, 1048576)");
  }

  @Test
  void codecThatThrowsFailsTheSend() throws Exception {
    Messaging messaging = start(settings().maxPending(1));
    for (Throwable error : new Throwable[] {
      new IllegalStateException("bad"), new StackOverflowError(), new java.io.IOException("sneaked")
    }) {
      WorkQueue<String> queue = WorkQueue.of("jobs", new Failing(error));
      assertThat(failure(messaging.push(queue, "x"))).isSameAs(error);
      assertThat(failure(messaging.request(
              Subject.of("s", new Failing(error), Codecs.utf8()), "x", Duration.ofSeconds(1))))
          .isSameAs(error);
      assertThatThrownBy(() -> messaging.send(Signal.of("s", new Failing(error)), "x"))
          .isSameAs(error);
    }
    assertThat(messaging.counters().failed()).isEqualTo(9);
    assertThat(engine.messages).isEmpty();
  }

  @Test
  void engineThatThrowsFailsTheFuture() throws Exception {
    Messaging messaging = start(settings().maxPending(1));
    for (Throwable error : new Throwable[] {
      new IllegalStateException("bad"),
      new AssertionError(),
      new BrokerAwayException("x", null, true)
    }) {
      engine.sending = (route, message) -> sneak(error);
      CompletableFuture<Void> future = messaging.push(JOBS, "x");
      assertThat(future).isCompletedExceptionally();
      assertThat(failure(future)).isSameAs(error);
      engine.sending = (route, message) ->
          CompletableFuture.failedFuture(new CompletionException(new CompletionException(error)));
      assertThat(failure(messaging.push(JOBS, "x"))).isSameAs(error);
    }
    engine.sending = (route, message) -> null;
    assertThat(failure(messaging.push(JOBS, "x")))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("the engine returned no stage");
    assertThat(messaging.counters().failed()).isEqualTo(7);
  }

  @Test
  void failureIsNotWrapped() throws Exception {
    Throwable error = new BrokerAwayException("away", null, true);
    CompletableFuture<@Nullable Void> stage = new CompletableFuture<>();
    engine.sending = (route, message) -> stage.thenRun(() -> {});
    Messaging messaging = start();
    CompletableFuture<Void> future = messaging.push(JOBS, "x");

    stage.completeExceptionally(error);

    assertThat(failure(future)).isSameAs(error);
  }

  /** A stage of an engine's own making, which completes more than once. */
  private static final class Twice extends CompletableFuture<@Nullable Void> {
    private @Nullable BiConsumer<? super @Nullable Void, ? super @Nullable Throwable> action;

    @Override
    public CompletableFuture<@Nullable Void> whenComplete(
        BiConsumer<? super @Nullable Void, ? super @Nullable Throwable> action) {
      this.action = action;
      return this;
    }

    void call(@Nullable Throwable error) {
      requireNonNull(action).accept(null, error);
    }
  }

  @Test
  void stageThatCompletesTwiceCountsOnce() throws Exception {
    Twice stage = new Twice();
    engine.sending = (route, message) -> stage;
    Messaging messaging = start(settings().maxPending(2));
    CompletableFuture<Void> future = messaging.push(JOBS, "x");
    CompletableFuture<Void> other = messaging.push(JOBS, "y"); // takes the action's place

    stage.call(null);
    stage.call(new IllegalStateException("again"));
    stage.call(null);

    result(other);
    assertThat(future).isNotDone();
    assertThat(messaging.counters().pending()).isEqualTo(1);
    assertThat(messaging.counters().accepted()).isEqualTo(1);
    assertThat(messaging.counters().failed()).isZero();
  }

  @Test
  void completeStageCompletesTheFutureAtOnce() throws Exception {
    Messaging messaging = start();
    AtomicReference<@Nullable Thread> thread = new AtomicReference<>();

    messaging.push(JOBS, "x").thenRun(() -> thread.set(Thread.currentThread()));

    assertThat(thread.get()).isSameAs(Thread.currentThread());
  }

  /** Minimal stages are futures, but throw when asked whether they are done. */
  @Test
  void minimalStageIsAnAnswer() throws Exception {
    engine.sending = (route, message) -> CompletableFuture.completedStage(null);
    Messaging messaging = start(settings().maxPending(1));

    assertThat(messaging.push(JOBS, "1")).isCompleted();
    engine.sending = (route, message) -> CompletableFuture.failedStage(new AssertionError("no"));
    assertThat(failure(messaging.push(JOBS, "2"))).hasMessage("no");
    CompletableFuture<@Nullable Void> stage = new CompletableFuture<>();
    engine.sending = (route, message) -> stage.minimalCompletionStage();
    CompletableFuture<Void> third = messaging.push(JOBS, "3");
    stage.complete(null);
    result(third);
    assertThat(messaging.counters().pending()).isZero();
  }

  @Test
  void laterStageCompletesTheFutureOnAThreadOfItsOwn() throws Exception {
    CompletableFuture<@Nullable Void> stage = new CompletableFuture<>();
    engine.sending = (route, message) -> stage;
    Messaging messaging = start();
    CompletableFuture<Thread> thread =
        messaging.push(JOBS, "x").thenApply(none -> Thread.currentThread());
    assertThat(messaging.counters().pending()).isEqualTo(1);

    stage.complete(null);

    assertThat(result(thread).getName()).startsWith("messaging-callback");
    assertThat(messaging.counters().pending()).isZero();
    assertThat(result(thread).getContextClassLoader())
        .isSameAs(Thread.currentThread().getContextClassLoader());
  }

  /** The engine's thread goes on although continuations wait for what only it can do. */
  @Test
  void continuationsThatWaitHoldUpNobody() throws Exception {
    AtomicReference<@Nullable CompletableFuture<@Nullable Void>> last = new AtomicReference<>();
    CompletableFuture<@Nullable Void> first = new CompletableFuture<>();
    engine.sending = (route, message) -> {
      CompletableFuture<@Nullable Void> stage = new CompletableFuture<>();
      last.set(stage);
      return new String(message.payload(), UTF_8).equals("1") ? first : stage;
    };
    Messaging messaging = start(settings().maxPending(1_000));
    int many = ForkJoinPool.getCommonPoolParallelism() + 20;
    AtomicInteger waited = new AtomicInteger();
    CompletableFuture<@Nullable Void> gate = new CompletableFuture<>();
    CompletableFuture<?>[] all = new CompletableFuture<?>[many];
    for (int i = 0; i < many; i++) {
      all[i] = messaging.push(JOBS, "1").thenRun(() -> {
        waited.incrementAndGet();
        gate.join();
      });
    }

    first.complete(null);
    Waiting.until(() -> waited.get() == many);
    CompletableFuture<Void> another = messaging.push(JOBS, "2");
    requireNonNull(last.get()).complete(null);

    result(another);
    gate.complete(null);
    result(CompletableFuture.allOf(all));
  }

  @Test
  void sendBeyondTheLimitWaitsAndFailsWithTheNumbers() throws Exception {
    engine.sending = (route, message) -> new CompletableFuture<>();
    Messaging messaging = start(settings()
        .maxPending(1)
        .maxPendingBytes(1000)
        .maxMessageSize(1000)
        .sendTimeout(Duration.ofSeconds(3)));
    messaging.push(JOBS, "12345");
    CompletableFuture<CompletableFuture<Void>> second =
        CompletableFuture.supplyAsync(() -> messaging.push(JOBS, "123"));
    Waiting.until(() -> messaging.counters().sent() == 2);
    Waiting.until(() -> {
      engine.clock.advance(Duration.ofSeconds(3));
      return second.isDone();
    });

    assertThat(failure(result(second)))
        .isInstanceOf(QueueFullException.class)
        .hasMessage("no room for a send of 3 bytes within sendTimeout PT3S: 1 of maxPending 1"
            + " sends and 5 of maxPendingBytes 1000 bytes have no answer yet");
    assertThat(((MessagingException) failure(result(second))).maybeAccepted()).isFalse();
  }

  @Test
  void cancelledFutureKeepsItsRoomUntilTheEngineAnswers() throws Exception {
    CompletableFuture<@Nullable Void> stage = new CompletableFuture<>();
    engine.sending = (route, message) -> stage;
    Messaging messaging = start();
    CompletableFuture<Void> future = messaging.push(JOBS, "x");

    future.cancel(true);
    assertThat(messaging.counters().pending()).isEqualTo(1);
    stage.complete(null);

    Waiting.until(() -> messaging.counters().pending() == 0);
    assertThatThrownBy(future::join).isInstanceOf(CancellationException.class);
  }

  @Test
  void signalIsSentWithoutWaitingAndCountedWhenDropped() throws Exception {
    Messaging messaging = start();
    assertThat(messaging.send(TICKS, "x")).isTrue();
    engine.tryingToSend = (signal, message) -> false;
    assertThat(messaging.send(TICKS, "x")).isFalse();
    engine.tryingToSend = (signal, message) -> {
      throw new AssertionError("broken");
    };
    assertThat(messaging.send(TICKS, "x")).isFalse();

    MessagingCounters counters = messaging.counters();
    assertThat(counters.sent()).isEqualTo(3);
    assertThat(counters.accepted()).isEqualTo(1);
    assertThat(counters.dropped()).isEqualTo(2);
    assertThat(engine.calls).containsExactly("open"); // nothing is declared
  }

  @Test
  void signalNeedsNoRoom() throws Exception {
    engine.sending = (route, message) -> new CompletableFuture<>();
    Messaging messaging = start(settings().maxPending(1));
    messaging.push(JOBS, "x");

    assertThat(messaging.send(TICKS, "x")).isTrue();
  }

  @Test
  void declarationsAskTheEngineEachTime() throws Exception {
    Messaging messaging = start();
    messaging.push(JOBS, "1");
    messaging.declare(JOBS);
    WorkQueue<String> other = JOBS.toBuilder().ordered(true).build();
    messaging.redeclare(other);
    messaging.push(JOBS, "2");
    result(messaging.delete(other).toCompletableFuture());
    messaging.push(other, "3");

    assertThat(engine.calls)
        .containsExactly(
            "open",
            "prepare jobs CHECK",
            "prepare jobs CHECK",
            "prepare jobs REPLACE",
            "prepare jobs CHECK",
            "delete jobs",
            "prepare jobs CHECK");
    engine.preparing = (route, declaration) -> {
      assertThat(declaration).isEqualTo(Declaration.REPLACE);
      throw new UnsupportedSettingException("no order");
    };
    assertThatThrownBy(() -> messaging.redeclare(other)).hasMessage("no order");
  }

  @Test
  void queueThatWasDeletedByOthersIsDeclaredAgain() throws Exception {
    Messaging messaging = start();
    engine.sending = (route, message) ->
        CompletableFuture.failedFuture(new MissingAddressException("no queue jobs"));
    assertThat(failure(messaging.push(JOBS, "1"))).isInstanceOf(MissingAddressException.class);
    engine.sending = (route, message) -> FakeEngine.DONE;

    assertThat(messaging.push(JOBS, "2")).isCompleted();
    assertThat(engine.calls).containsExactly("open", "prepare jobs CHECK", "prepare jobs CHECK");
  }

  @Test
  void stagesOfAdministrationAreMadeSafe() throws Exception {
    Messaging messaging = start();
    DeadLetters letters = messaging.deadLetters(JOBS);

    assertThat(result(letters.count().toCompletableFuture())).isZero();
    assertThat(result(letters.peek(3).toCompletableFuture())).isEmpty();
    assertThat(failure(letters.redrive(1, letter -> true).toCompletableFuture()))
        .hasMessage("no letters");
    assertThat(failure(letters.purge(letter -> true).toCompletableFuture()))
        .hasMessage("no letters");
    assertThatThrownBy(() -> letters.peek(0)).hasMessage("max: 0 (expected: >= 1)");
    CompletableFuture<java.util.List<QueueStatus>> stage = new CompletableFuture<>();
    engine.queues = stage;
    CompletionStage<Thread> thread = messaging.queues().thenApply(queues -> Thread.currentThread());
    stage.complete(java.util.List.of());
    assertThat(result(thread.toCompletableFuture()).getName()).startsWith("messaging-callback");
  }

  @Test
  void observersSeeTheMessageAndMayAddHeaders() throws Exception {
    MessagingObserver tracing = new MessagingObserver() {
      @Override
      public <T> Message<T> sending(String address, Message<T> message) {
        return message.withHeader("at", address);
      }
    };
    MessagingObserver broken = new MessagingObserver() {
      @Override
      public <T> Message<T> sending(String address, Message<T> message) {
        throw new AssertionError("broken");
      }
    };
    Messaging messaging = start(settings().observe(tracing).observe(broken));

    assertThat(messaging.push(JOBS, "x")).isCompleted();

    assertThat(engine.messages.get(0).headers()).containsEntry("at", "jobs");
    assertThat(messaging.counters().listenerFailures()).isEqualTo(1);
  }
}
