package dev.mullion.messaging;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Reply.Status;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class RequestsTest extends CoreTest {
  private static final Duration SECOND = Duration.ofSeconds(1);

  private static Message<byte[]> text(String text) {
    return Message.of(text.getBytes(UTF_8));
  }

  private void reply(long id, String text) {
    engine.context().events().replied(Reply.of(id, text(text)));
  }

  private void error(long id, Status status, String text) {
    engine.context().events().replied(Reply.error(id, status, text));
  }

  @Test
  void replyCompletesItsOwnRequest() throws Exception {
    Messaging messaging = start();
    CompletableFuture<Message<String>> first =
        messaging.requestMessage(CAPITALS, Message.of("France").withHeader("h", "v"), SECOND);
    CompletableFuture<String> second = messaging.request(CAPITALS, "Peru", SECOND);
    assertThat(messaging.counters().pending()).isEqualTo(2);
    assertThat(engine.messages.get(0).headers()).containsEntry("h", "v");

    reply(2, "Lima");
    engine
        .context()
        .events()
        .replied(Reply.of(1, text("Paris").withCorrelationId("c").withHeader("a", "b")));

    assertThat(result(second)).isEqualTo("Lima");
    assertThat(result(first).payload()).isEqualTo("Paris");
    assertThat(result(first).correlationId()).contains("c");
    assertThat(result(first).headers()).containsEntry("a", "b");
    MessagingCounters counters = messaging.counters();
    assertThat(counters.pending()).isZero();
    assertThat(counters.requests()).isEqualTo(2);
    assertThat(counters.accepted()).isEqualTo(2);
    assertThat(engine.calls)
        .containsExactly("open", "prepare capitals CHECK", "request 1 PT1S", "request 2 PT1S");
  }

  @Test
  void errorsHaveTheirNames() throws Exception {
    Messaging messaging = start();
    List<CompletableFuture<String>> all = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      all.add(messaging.request(CAPITALS, "x", SECOND));
    }
    error(1, Status.FAILED, "no such country");
    error(2, Status.UNDECODABLE, "3 bytes are not UTF-8");
    error(3, Status.LOST, "connection lost");
    engine.context().events().replied(Reply.error(4, Status.OK, ""));

    assertThat(failure(all.get(0)))
        .isInstanceOf(RequestFailedException.class)
        .hasMessage("no such country");
    assertThat(failure(all.get(1)))
        .isInstanceOf(UndecodableMessageException.class)
        .hasMessage("the replier could not decode the request: 3 bytes are not UTF-8"
            + " (subject capitals)");
    assertThat(failure(all.get(2)))
        .isInstanceOf(RequestFailedException.class)
        .hasMessage("the replier was lost before it answered: connection lost (subject capitals)");
    assertThat(((MessagingException) failure(all.get(2))).maybeAccepted()).isTrue();
    assertThat(failure(all.get(3)))
        .isInstanceOf(UndecodableMessageException.class)
        .hasMessage("the reply has no message (subject capitals)");
    assertThat(messaging.counters().failed()).isEqualTo(4);
  }

  @Test
  void undecodableReplyIsAnErrorWhateverTheCodecThrows() throws Exception {
    Messaging messaging = start();
    Subject<String, String> overflowing = Subject.of("s", Codecs.utf8(), new MessageCodec<>() {
      @Override
      public byte[] encode(String payload) {
        return new byte[0];
      }

      @Override
      @SuppressWarnings("InfiniteRecursion")
      public String decode(byte[] payload, String contentType) {
        return contentType.isEmpty() ? nothing() : decode(payload, contentType);
      }

      @SuppressWarnings({"NullAway", "TypeParameterUnusedInFormals"})
      private static <T> T nothing() {
        return null;
      }

      @Override
      public String contentType() {
        return "";
      }
    });
    CompletableFuture<String> malformed = messaging.request(CAPITALS, "x", SECOND);
    CompletableFuture<String> error = messaging.request(overflowing, "x", SECOND);
    CompletableFuture<String> none = messaging.request(overflowing, "x", SECOND);

    engine.context().events().replied(Reply.of(1, Message.of(new byte[] {(byte) 0xff})));
    engine.context().events().replied(Reply.of(2, text("").withContentType("x")));
    reply(3, "");

    assertThat(failure(malformed))
        .isInstanceOf(UndecodableMessageException.class)
        .hasMessage("payload of 1 bytes is not UTF-8");
    assertThat(failure(error))
        .isInstanceOf(UndecodableMessageException.class)
        .hasMessage("a reply of 0 bytes could not be decoded:"
            + " java.lang.StackOverflowError (subject s)");
    assertThat(failure(none)).hasMessage("the codec decoded a reply as null (subject s)");
  }

  @Test
  void timeoutComesAtItsTimeAndLateReplyIsCounted() throws Exception {
    Messaging messaging = start();
    CompletableFuture<String> request = messaging.request(CAPITALS, "x", SECOND);

    engine.clock.advance(SECOND.minusNanos(1));
    assertThat(messaging.counters().timedOut()).isZero();
    assertThat(request).isNotDone();
    engine.clock.advance(Duration.ofNanos(1));

    assertThat(failure(request))
        .isInstanceOf(TimeoutException.class)
        .hasMessage("no reply within timeout PT1S (subject capitals)");
    reply(1, "late");
    reply(77, "unknown");
    MessagingCounters counters = messaging.counters();
    assertThat(counters.lateReplies()).isEqualTo(2);
    assertThat(counters.timedOut()).isEqualTo(1);
    assertThat(counters.failed()).isEqualTo(1);
    Waiting.until(() -> engine.calls.contains("cancel 1"));
  }

  @Test
  void cancelFreesRoomAndWithdrawsTheRequest() throws Exception {
    Messaging messaging = start(settings().maxPending(1));
    CompletableFuture<Message<String>> message =
        messaging.requestMessage(CAPITALS, Message.of("x"), SECOND);
    message.cancel(true);
    CompletableFuture<String> payload = messaging.request(CAPITALS, "x", SECOND);
    payload.cancel(false);
    CompletableFuture<String> completed = messaging.request(CAPITALS, "x", SECOND);
    completed.complete("by its user");
    CompletableFuture<String> expired =
        messaging.request(CAPITALS, "x", SECOND).orTimeout(1, TimeUnit.MILLISECONDS);
    assertThat(failure(expired)).isInstanceOf(TimeoutException.class);
    Waiting.until(() -> messaging.counters().pending() == 0);

    reply(1, "late");
    assertThat(engine.calls).contains("cancel 1", "cancel 2", "cancel 3", "cancel 4");
    assertThat(messaging.counters().lateReplies()).isEqualTo(1);
    assertThatThrownBy(message::join).isInstanceOf(CancellationException.class);
    engine.clock.advance(SECOND);
    assertThat(messaging.counters().timedOut()).isZero();
  }

  @Test
  void nobodyListensIsAnErrorAtOnce() throws Exception {
    Throwable error = new NobodyListensException("nobody replies to capitals");
    engine.requesting = (id, message) -> CompletableFuture.failedFuture(error);
    Messaging messaging = start(settings().maxPending(1));

    CompletableFuture<String> request = messaging.request(CAPITALS, "x", SECOND);

    assertThat(request).isCompletedExceptionally();
    assertThat(failure(request)).isSameAs(error);
    assertThat(messaging.counters().pending()).isZero();
    assertThat(messaging.counters().failed()).isEqualTo(1);
  }

  @Test
  void engineThatFailsFailsTheRequest() throws Exception {
    Messaging messaging = start(settings().maxPending(1));
    engine.requesting = (id, message) -> {
      throw new AssertionError("broken");
    };
    assertThat(failure(messaging.request(CAPITALS, "x", SECOND))).hasMessage("broken");
    engine.requesting = (id, message) -> null;
    assertThat(failure(messaging.request(CAPITALS, "x", SECOND)))
        .hasMessage("the engine returned no stage");
    CompletableFuture<@Nullable Void> stage = new CompletableFuture<>();
    engine.requesting = (id, message) -> stage;
    CompletableFuture<Thread> thread =
        messaging.request(CAPITALS, "x", SECOND).handle((reply, error) -> Thread.currentThread());
    stage.completeExceptionally(new BrokerAwayException("away", null, true));
    assertThat(result(thread).getName()).startsWith("messaging-callback");
    engine.preparing = (route, declaration) -> {
      throw new BrokerAwayException("away", null, false);
    };
    assertThat(failure(
            messaging.request(Subject.of("other", Codecs.utf8(), Codecs.utf8()), "x", SECOND)))
        .hasMessage("away");
    assertThat(messaging.counters().failed()).isEqualTo(4);
  }

  /** A reply may be there before the engine has returned, and its stage fail after that. */
  @Test
  void replyBeforeTheStageCountsAndTheStageDoesNot() throws Exception {
    engine.requesting = (id, message) -> {
      reply(id, "quick");
      return CompletableFuture.failedFuture(new IllegalStateException("after the reply"));
    };
    Messaging messaging = start();

    assertThat(result(messaging.request(CAPITALS, "x", SECOND))).isEqualTo("quick");
    assertThat(messaging.counters().failed()).isZero();
  }

  @Test
  void timeSpentWaitingForRoomIsPartOfTheTimeout() throws Exception {
    Messaging messaging = start(settings().maxPending(1).sendTimeout(Duration.ofSeconds(10)));
    CompletableFuture<String> first = messaging.request(CAPITALS, "1", Duration.ofMinutes(1));
    AtomicReference<@Nullable Throwable> second = new AtomicReference<>();
    Thread waiting = new Thread(() -> {
      try {
        messaging.request(CAPITALS, "2", Duration.ofSeconds(5)).get();
      } catch (ExecutionException | InterruptedException e) {
        second.set(e.getCause());
      }
    });
    waiting.start();
    Waiting.untilBlocked(waiting);
    engine.clock.advance(Duration.ofSeconds(2));
    reply(1, "one");
    result(first);
    Waiting.until(() -> engine.calls.contains("request 2 PT3S"));
    Waiting.untilBlocked(waiting);

    engine.clock.advance(Duration.ofSeconds(3));
    waiting.join(20_000);
    assertThat(second.get()).isInstanceOf(TimeoutException.class);

    CompletableFuture<String> third = messaging.request(CAPITALS, "3", Duration.ofMinutes(1));
    CompletableFuture<CompletableFuture<String>> fourth = CompletableFuture.supplyAsync(
        () -> messaging.request(CAPITALS, "4", Duration.ofSeconds(5)));
    Waiting.until(() -> messaging.counters().requests() == 4);
    Waiting.until(() -> {
      engine.clock.advance(Duration.ofSeconds(5));
      return fourth.isDone();
    });
    assertThat(failure(result(fourth)))
        .isInstanceOf(QueueFullException.class)
        .hasMessageContaining("within timeout PT5S");
    assertThat(third).isNotNull();
  }

  @Test
  void timeoutMustBePositive() throws Exception {
    Messaging messaging = start();

    assertThatThrownBy(() -> messaging.request(CAPITALS, "x", Duration.ZERO))
        .hasMessage("timeout: PT0S (expected: > 0)");
  }

  /** Replies late, twice, for unknown ids; cancelled and timed out: each request ends once. */
  @Test
  void eachRequestEndsOnceWithItsOwnReply() throws Exception {
    Messaging messaging = start(settings().maxPending(10_000));
    for (int seed = 0; seed < 20; seed++) {
      new Model(messaging, new SplittableRandom(seed)).run();
    }
    assertThat(messaging.counters().pending()).isZero();
  }

  private final class Model {
    private final Messaging messaging;
    private final SplittableRandom random;
    private final Map<Integer, CompletableFuture<?>> requests = new HashMap<>();
    private final Map<Integer, List<String>> ends = new HashMap<>();
    private final List<Thread> threads = new ArrayList<>();
    private final List<Long> replies = new CopyOnWriteArrayList<>();
    private volatile long inTime;
    private final long before;
    private final long requested;

    Model(Messaging messaging, SplittableRandom random) {
      this.messaging = messaging;
      this.random = random;
      this.before = messaging.counters().requests();
      this.requested = 200;
    }

    void run() throws Exception {
      long answeredBefore = accounted();
      for (int i = 0; i < requested; i++) {
        ask(i);
      }
      List<Runnable> steps = new ArrayList<>();
      for (int i = 0; i < 600; i++) {
        steps.add(step(random.nextInt((int) requested)));
      }
      for (int i = 0; i < 3; i++) {
        List<Runnable> part = steps.subList(i * 200, (i + 1) * 200);
        Thread thread = new Thread(() -> part.forEach(Runnable::run));
        threads.add(thread);
        thread.start();
      }
      for (Thread thread : threads) {
        thread.join(20_000);
      }
      engine.clock.advance(Duration.ofMinutes(1));
      for (int i = 0; i < requested; i++) {
        int each = i;
        Waiting.until(() -> !ends.getOrDefault(each, List.of()).isEmpty());
        String end = String.join(", ", ends.getOrDefault(i, List.of()));
        assertThat(end).isIn("reply " + i, "failed " + i, "cancelled", "timeout");
      }
      Waiting.until(() -> accounted() - answeredBefore == replies.size());
    }

    /** Each reply either ended a request or was late. */
    private long accounted() {
      return messaging.counters().lateReplies() + inTime;
    }

    private void ask(int number) {
      List<String> end = new CopyOnWriteArrayList<>();
      ends.put(number, end);
      CompletableFuture<Message<String>> request = messaging.requestMessage(
          CAPITALS, Message.of(String.valueOf(number)), Duration.ofSeconds(1 + random.nextInt(10)));
      requests.put(number, request);
      request.whenComplete((reply, error) -> {
        if (error == null) {
          end.add("reply " + reply.payload());
        } else if (error instanceof CancellationException) {
          end.add("cancelled");
        } else {
          Throwable cause = Answers.cause(error);
          end.add(cause instanceof TimeoutException ? "timeout" : "failed " + cause.getMessage());
        }
        if (end.get(0).startsWith("reply") || end.get(0).startsWith("failed")) {
          synchronized (Model.this) {
            inTime++;
          }
        }
      });
    }

    private Runnable step(int number) {
      long id = before + number + 1;
      return switch (random.nextInt(6)) {
        case 0, 1, 2 ->
          () -> {
            replies.add(id);
            reply(id, String.valueOf(number));
          };
        case 3 ->
          () -> {
            replies.add(id);
            error(id, Status.FAILED, String.valueOf(number));
          };
        case 4 -> () -> requireNonNull(requests.get(number)).cancel(false);
        default -> {
          long unknown = 1_000_000 + id;
          Duration time = Duration.ofMillis(random.nextInt(50));
          yield () -> {
            replies.add(unknown);
            reply(unknown, "unknown");
            engine.clock.advance(time);
          };
        }
      };
    }
  }
}
