package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class StopTest extends CoreTest {
  private static final Duration SECOND = Duration.ofSeconds(1);

  /** Runs something, while the clock goes on. */
  private <T> T whileTimePasses(Callable<T> action) throws Exception {
    CompletableFuture<T> done = new CompletableFuture<>();
    Thread thread = new Thread(() -> {
      try {
        done.complete(action.call());
      } catch (Throwable e) {
        done.completeExceptionally(e);
      }
    });
    thread.start();
    Waiting.until(() -> {
      engine.clock.advance(Duration.ofMillis(10));
      return done.isDone();
    });
    return done.get();
  }

  @Test
  void everythingSaysThatItIsClosed() throws Exception {
    Messaging messaging = start();
    DeadLetters letters = messaging.deadLetters(JOBS);
    messaging.close();

    List<Callable<?>> uses = List.of(
        () -> messaging.publish(ORDERS, "x"),
        () -> messaging.push(JOBS, "x"),
        () -> messaging.request(CAPITALS, "x", SECOND),
        () -> messaging.send(TICKS, "x"),
        () -> messaging.subscribe(ORDERS, order -> {}),
        () -> messaging.pull(JOBS, job -> {}),
        () -> messaging.reply(CAPITALS, country -> ""),
        () -> messaging.receive(TICKS, tick -> {}),
        () -> {
          messaging.declare(JOBS);
          return null;
        },
        () -> {
          messaging.redeclare(JOBS);
          return null;
        },
        () -> messaging.delete(JOBS),
        () -> messaging.deadLetters(JOBS),
        letters::count,
        messaging::queues);
    for (Callable<?> use : uses) {
      assertThatThrownBy(use::call)
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("messaging is closed");
    }
    assertThat(messaging.health()).isEqualTo(new Health(false, "messaging is closed"));
    assertThat(messaging.counters().sent()).isZero();
  }

  @Test
  void closeIsIdempotentAndConcurrent() throws Exception {
    Messaging messaging = start();
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    engine.closing = () -> {
      inside.countDown();
      try {
        go.await();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    };
    List<CompletableFuture<StopReport>> stops = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      stops.add(CompletableFuture.supplyAsync(() -> messaging.stop(SECOND)));
    }
    assertThat(inside.await(20, TimeUnit.SECONDS)).isTrue();
    stops.forEach(each -> assertThat(each).isNotDone());
    go.countDown();

    StopReport report = result(stops.get(0));
    for (CompletableFuture<StopReport> each : stops) {
      assertThat(result(each)).isEqualTo(report);
    }
    assertThat(messaging.stop(SECOND)).isEqualTo(report);
    messaging.close();
    assertThat(engine.calls).containsOnlyOnce("close");
  }

  @Test
  void pendingSendsAreWaitedFor() throws Exception {
    CompletableFuture<@Nullable Void> stage = new CompletableFuture<>();
    engine.sending = (route, message) -> stage;
    Messaging messaging = start();
    CompletableFuture<Void> push = messaging.push(JOBS, "x");
    CompletableFuture<String> request = messaging.request(CAPITALS, "x", Duration.ofMinutes(1));
    CompletableFuture<StopReport> stop =
        CompletableFuture.supplyAsync(() -> messaging.stop(SECOND));
    Waiting.until(() -> !messaging.health().up());
    stage.complete(null);
    assertThat(engine.calls).doesNotContain("close");
    engine
        .context()
        .events()
        .replied(dev.mullion.messaging.engine.Reply.of(1, Message.of(new byte[0])));

    result(push);
    result(request);
    result(stop);
    assertThat(engine.calls).last().isEqualTo("close");
    assertThat(messaging.counters().failed()).isZero();
  }

  @Test
  void whatHasNoAnswerFailsAtTheDeadline() throws Exception {
    CompletableFuture<@Nullable Void> never = new CompletableFuture<>();
    engine.sending = (route, message) -> never;
    engine.requesting = (id, message) -> never;
    engine.queues = new CompletableFuture<>();
    Messaging messaging = start();
    List<CompletableFuture<?>> open = List.of(
        messaging.push(JOBS, "x"),
        messaging.publish(ORDERS, "x"),
        messaging.request(CAPITALS, "x", Duration.ofMinutes(1)),
        messaging.queues().toCompletableFuture());

    StopReport report = whileTimePasses(() -> messaging.stop(SECOND));

    for (CompletableFuture<?> each : open) {
      assertThat(failure(each))
          .isInstanceOf(BrokerAwayException.class)
          .hasMessage("messaging was closed before the engine answered");
      assertThat(((MessagingException) failure(each)).maybeAccepted()).isTrue();
    }
    assertThat(report.took()).isBetween(SECOND, SECOND.multipliedBy(10));
    assertThat(messaging.counters().pending()).isZero();
    assertThat(messaging.counters().failed()).isEqualTo(3);
    never.complete(null); // too late, and without effect
    assertThat(messaging.counters().accepted()).isZero();
    assertThat(engine.calls).last().isEqualTo("close");
  }

  @Test
  void senderThatWaitsForRoomFails() throws Exception {
    CompletableFuture<@Nullable Void> stage = new CompletableFuture<>();
    engine.sending = (route, message) -> stage;
    Messaging messaging = start(settings().maxPending(1));
    messaging.push(JOBS, "1");
    AtomicReference<@Nullable Throwable> second = new AtomicReference<>();
    Thread waiting = new Thread(() -> {
      try {
        messaging.push(JOBS, "2").get();
      } catch (Exception e) {
        second.set(e.getCause());
      }
    });
    waiting.start();
    Waiting.untilBlocked(waiting);
    CompletableFuture<StopReport> stop =
        CompletableFuture.supplyAsync(() -> messaging.stop(SECOND));
    waiting.join(20_000);

    assertThat(second.get())
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("messaging is closed");
    assertThat(stop).isNotDone();
    stage.complete(null);
    result(stop);
  }

  @Test
  void eachStepRunsWhateverTheEngineDoes() throws Exception {
    AtomicBoolean listened = new AtomicBoolean();
    engine.closing = () -> {
      throw new AssertionError("broken");
    };
    Messaging messaging = start(settings().listener(new MessagingListener() {
      @Override
      public void connectionLost(String where, Throwable cause) {
        listened.set(true);
      }
    }));
    engine.context().events().connectionLost("here", new IllegalStateException());

    messaging.close();

    assertThat(listened).isTrue();
  }

  @Test
  void linkThatHangsDoesNotHoldUpTheStop() throws Exception {
    CountDownLatch never = new CountDownLatch(1);
    engine.closing = () -> {
      try {
        never.await();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    };
    Messaging messaging = start();

    StopReport report = whileTimePasses(() -> messaging.stop(SECOND));

    assertThat(report.took()).isBetween(SECOND, SECOND.multipliedBy(4));
    never.countDown();
  }

  @Test
  void listenerMayClose() throws Exception {
    CompletableFuture<StopReport> stopped = new CompletableFuture<>();
    Messaging[] own = new Messaging[1];
    own[0] = start(settings().listener(new MessagingListener() {
      @Override
      public void connectionLost(String where, Throwable cause) {
        stopped.complete(own[0].stop(Duration.ofSeconds(Long.MAX_VALUE)));
      }
    }));

    engine.context().events().connectionLost("here", new IllegalStateException());

    result(stopped);
    assertThat(engine.calls).last().isEqualTo("close");
  }

  /** The stop waits for the listener, which would wait for the stop. */
  @Test
  void listenerThatClosesDuringAStopDoesNotWaitForIt() throws Exception {
    CountDownLatch closing = new CountDownLatch(1);
    CompletableFuture<StopReport> listener = new CompletableFuture<>();
    Messaging[] own = new Messaging[1];
    engine.closing = closing::countDown;
    own[0] = start(settings().listener(new MessagingListener() {
      @Override
      public void connectionLost(String where, Throwable cause) {
        try {
          closing.await();
          listener.complete(own[0].stop(SECOND));
        } catch (InterruptedException e) {
          listener.completeExceptionally(e);
        }
      }
    }));
    engine.context().events().connectionLost("here", new IllegalStateException());

    own[0].stop(Duration.ofDays(1));

    assertThat(result(listener).took()).isZero();
  }

  @Test
  void interruptEndsTheWaitsAndIsKept() throws Exception {
    engine.sending = (route, message) -> new CompletableFuture<>();
    Messaging messaging = start();
    CompletableFuture<Void> push = messaging.push(JOBS, "x");
    Thread.currentThread().interrupt();

    messaging.close();

    assertThat(Thread.interrupted()).isTrue();
    assertThat(failure(push)).isInstanceOf(BrokerAwayException.class);
  }

  @Test
  void closeInAContinuationEnds() throws Exception {
    CompletableFuture<@Nullable Void> stage = new CompletableFuture<>();
    engine.sending = (route, message) -> stage;
    Messaging messaging = start();
    CompletableFuture<Void> closed = messaging.push(JOBS, "x").thenRun(messaging::close);

    stage.complete(null);

    result(closed);
    assertThat(engine.calls).contains("close");
  }

  @Test
  void engineThatDoesNotOpenLeavesNothingBehind() {
    engine.opening = () -> {
      throw new BrokerAwayException("localhost:1 does not answer", null, false);
    };
    assertThatThrownBy(this::start).hasMessage("localhost:1 does not answer");
    engine.opening = () -> {
      throw new AssertionError("broken");
    };
    assertThatThrownBy(this::start).isInstanceOf(AssertionError.class);
  }
}
