package dev.mullion.messaging;

import static dev.mullion.messaging.Receiving.await;
import static dev.mullion.messaging.Receiving.checked;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A worker that takes several messages at once: what happens to one leaves the others whole. */
class RunTest {
  private static final Duration LONG = Duration.ofSeconds(20);
  private static final WorkQueue<String> JOBS = WorkQueue.builder("jobs", Codecs.utf8())
      .redelivery(Redelivery.constant(2, Duration.ofMillis(1)))
      .handlerTimeout(Duration.ofSeconds(5))
      .build();

  private final ManualClock clock = new ManualClock();
  private final List<String> handled = new CopyOnWriteArrayList<>();
  private final CountDownLatch gate = new CountDownLatch(1);
  private EmbeddedBroker broker;
  private Messaging messaging;

  @BeforeEach
  void start() throws Exception {
    broker = EmbeddedEngine.builder().clock(clock).build().start();
    messaging = Messaging.on(broker);
  }

  @AfterEach
  void close() {
    gate.countDown();
    messaging.stop(Duration.ofSeconds(1));
    broker.close();
  }

  /** Starts a worker that finds all these jobs waiting, and so takes them at once. */
  private Subscription worker(Handler<String> handler, String... jobs) throws Exception {
    messaging.declare(JOBS);
    for (String job : jobs) {
      messaging.push(JOBS, job).get(10, TimeUnit.SECONDS);
    }
    return messaging.worker(JOBS).prefetch(20).start(delivery -> {
      handled.add(delivery.payload());
      handler.handle(delivery);
    });
  }

  private QueueStatus status() throws Exception {
    return messaging.queues().toCompletableFuture().get(10, TimeUnit.SECONDS).get(0);
  }

  private void awaitHandled(int count) {
    await(count + " handled", () -> handled.size() == count);
  }

  @Test
  void eachIsAcknowledgedOnce() throws Exception {
    Subscription worker = worker(delivery -> {}, "a", "b", "c", "d");
    broker.awaitIdle(LONG);
    assertThat(handled).containsExactly("a", "b", "c", "d");
    assertThat(checked(worker).acknowledged()).isEqualTo(4);
    assertThat(status().waiting() + status().inFlight()).isZero();
  }

  @Test
  void failuresAndErrorsConcernTheirMessageOnly() throws Exception {
    Subscription worker = worker(
        delivery -> {
          if (delivery.payload().equals("b")) {
            throw new IllegalStateException("boom");
          } else if (delivery.payload().equals("c")) {
            throw new StackOverflowError();
          } else if (delivery.payload().equals("d")) {
            throw new RejectedMessageException("no");
          }
        },
        "a",
        "b",
        "c",
        "d",
        "e");
    awaitHandled(5);
    await("the delays", () -> worker.counters().failed() == 2);
    await("two failed", () -> statusIs(2));
    clock.advance(Duration.ofMillis(1));
    awaitHandled(7);
    broker.awaitIdle(LONG);
    assertThat(handled.subList(0, 5)).containsExactly("a", "b", "c", "d", "e");
    assertThat(handled.subList(5, 7)).containsExactlyInAnyOrder("b", "c");
    await("all counted", () -> worker.counters().deadLettered() == 3);
    assertThat(checked(worker).acknowledged()).isEqualTo(2);
    assertThat(worker.counters().rejected()).isOne();
    assertThat(worker.counters().failed()).isEqualTo(4);
  }

  private boolean statusIs(long delayed) {
    try {
      return status().delayed() == delayed;
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void stopInTheMiddleGivesBackWhatDidNotBegin() throws Exception {
    Subscription worker = worker(delivery -> gate.await(), "a", "b", "c", "d");
    awaitHandled(1);
    assertThat(checked(worker).inFlight()).isOne();
    assertThat(worker.counters().buffered()).isEqualTo(3);
    CompletableFuture<StopReport> stop = CompletableFuture.supplyAsync(() -> worker.stop(LONG));
    await("the others are back", () -> worker.counters().givenBack() == 3);
    gate.countDown();
    StopReport report = stop.get(20, TimeUnit.SECONDS);
    assertThat(report.finished()).isOne();
    assertThat(report.givenBack()).isEqualTo(3);
    assertThat(status().waiting()).isEqualTo(3);
    List<Integer> counts = new CopyOnWriteArrayList<>();
    worker(delivery -> counts.add(delivery.deliveryCount()));
    broker.awaitIdle(LONG);
    assertThat(handled).containsExactly("a", "b", "c", "d");
    assertThat(counts).containsExactly(1, 1, 1);
  }

  @Test
  void handlerThatStopsItsOwnSubscriptionFinishes() throws Exception {
    AtomicReference<@Nullable Subscription> self = new AtomicReference<>();
    CountDownLatch known = new CountDownLatch(1);
    Subscription worker = worker(
        delivery -> {
          known.await();
          if (delivery.payload().equals("b")) {
            Subscription own = self.get();
            if (own != null) {
              own.close();
            }
          }
        },
        "a",
        "b",
        "c");
    self.set(worker);
    known.countDown();
    await("its end", () -> worker.counters().acknowledged() == 2);
    await("the rest is back", () -> worker.counters().givenBack() == 1);
    broker.awaitIdle(LONG);
    assertThat(handled).containsExactly("a", "b");
    await("no worker is left", () -> isWaiting(1));
  }

  private boolean isWaiting(long jobs) {
    try {
      QueueStatus now = status();
      return now.waiting() == jobs && now.inFlight() == 0;
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void pausedWorkerBeginsNoOther() throws Exception {
    Subscription worker = worker(
        delivery -> {
          if (delivery.payload().equals("b")) {
            gate.await();
          }
        },
        "a",
        "b",
        "c",
        "d");
    awaitHandled(2);
    worker.pause();
    gate.countDown();
    await("b is acknowledged", () -> worker.counters().acknowledged() == 2);
    assertThat(handled).containsExactly("a", "b");
    assertThat(checked(worker).buffered()).isEqualTo(2);
    worker.resume();
    broker.awaitIdle(LONG);
    assertThat(handled).containsExactly("a", "b", "c", "d");
    assertThat(checked(worker).acknowledged()).isEqualTo(4);
  }

  @Test
  void handlerThatTakesTooLongIsCutOffAlone() throws Exception {
    CountDownLatch interrupted = new CountDownLatch(1);
    Subscription worker = worker(
        delivery -> {
          if (delivery.payload().equals("b") && delivery.deliveryCount() == 1) {
            try {
              gate.await();
            } catch (InterruptedException e) {
              interrupted.countDown();
            }
          }
        },
        "a",
        "b",
        "c",
        "d");
    awaitHandled(2);
    clock.advance(Duration.ofSeconds(6));
    assertThat(interrupted.await(20, TimeUnit.SECONDS)).isTrue();
    await("the others", () -> worker.counters().acknowledged() == 3);
    await("the delay", () -> statusIs(1));
    clock.advance(Duration.ofMillis(1));
    await("b again", () -> worker.counters().acknowledged() == 4);
    broker.awaitIdle(LONG);
    assertThat(handled).containsExactlyInAnyOrder("a", "b", "c", "d", "b");
    assertThat(checked(worker).timedOut()).isOne();
    assertThat(worker.counters().lateReturns()).isOne();
  }

  @Test
  void idleWorkersGetTheirShare() throws Exception {
    CountDownLatch both = new CountDownLatch(2);
    Handler<String> meet = delivery -> {
      both.countDown();
      both.await();
    };
    messaging.worker(JOBS).prefetch(20).start(meet);
    messaging.worker(JOBS).prefetch(20).start(meet);
    for (int i = 0; i < 10; i++) {
      messaging.push(JOBS, "x" + i).get(10, TimeUnit.SECONDS);
    }
    assertThat(both.await(20, TimeUnit.SECONDS)).isTrue();
  }
}
