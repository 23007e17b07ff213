package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What waits behind handlers that block goes to workers that are idle. */
class StuckMessagesTest {
  private static final WorkQueue<String> JOBS = WorkQueue.builder("jobs", Codecs.utf8())
      .handlerTimeout(Duration.ofDays(1))
      .build();
  private static final List<String> REST =
      IntStream.range(0, 5).mapToObj(i -> "job " + i).toList();

  private final ManualClock clock = new ManualClock();
  private final CountDownLatch release = new CountDownLatch(1);
  private final List<String> handled = Collections.synchronizedList(new ArrayList<>());
  private EmbeddedBroker broker;
  private Messaging messaging;

  /** How a worker handles the first message, which blocks. */
  private enum Kind {
    BLOCKING,
    ASYNC,
    BATCH
  }

  @BeforeEach
  void start() throws Exception {
    broker = EmbeddedEngine.builder().clock(clock).build().start();
    messaging = Messaging.on(broker);
    messaging.push(JOBS, "blocks").get();
    for (String job : REST) {
      messaging.push(JOBS, job).get();
    }
  }

  @AfterEach
  void close() {
    release.countDown();
    messaging.close();
    broker.close();
  }

  private void handle(Delivery<String> job) throws InterruptedException {
    assertThat(job.deliveryCount()).isEqualTo(1);
    if (job.payload().equals("blocks")) {
      release.await(20, TimeUnit.SECONDS);
    }
    handled.add(job.payload());
  }

  private Subscription busy(Kind kind) throws Exception {
    WorkerBuilder<String> worker = messaging.worker(JOBS).prefetch(10);
    return switch (kind) {
      case BLOCKING -> worker.start(this::handle);
      case ASYNC ->
        worker.startAsync(job -> CompletableFuture.runAsync(() -> {
          try {
            handle(job);
          } catch (InterruptedException e) {
            throw new IllegalStateException(e);
          }
        }));
      case BATCH ->
        worker.startBatch(1, batch -> {
          for (Delivery<String> job : batch.deliveries()) {
            handle(job);
          }
        });
    };
  }

  /** Lets the workers look until something is so: what had been asked for comes once more. */
  private void untilLooked(BooleanSupplier condition) {
    Waiting.until(() -> {
      clock.advance(StuckMessages.INTERVAL);
      return condition.getAsBoolean();
    });
  }

  @ParameterizedTest
  @EnumSource
  void goToAnIdleWorker(Kind kind) throws Exception {
    Subscription busy = busy(kind);
    Waiting.until(() -> busy.counters().inFlight() == 1 && busy.counters().buffered() == 5);
    List<String> others = new CopyOnWriteArrayList<>();
    Subscription idle = messaging.pull(JOBS, job -> {
      assertThat(job.deliveryCount()).isEqualTo(1);
      others.add(job.payload());
    });

    untilLooked(() -> idle.counters().acknowledged() == 5);

    assertThat(others).containsExactlyInAnyOrderElementsOf(REST);
    assertThat(busy.counters().givenBack()).isBetween(5L, 11L); // its credit, at most
    assertThat(busy.counters().buffered()).isZero();
    release.countDown();
    idle.close();
    messaging.push(JOBS, "later").get();
    Waiting.until(() -> busy.counters().acknowledged() == 2);
    assertThat(handled).containsExactly("blocks", "later");
    assertThat(busy.stop(StuckMessages.INTERVAL).givenBack()).isZero();
  }

  @Test
  void goToAnIdleWorkerFromOneThatIsPaused() throws Exception {
    release.countDown();
    Subscription paused = messaging.worker(JOBS).prefetch(10).start(this::handle);
    Waiting.until(() -> paused.counters().acknowledged() == 6);
    paused.pause();
    messaging.push(JOBS, "another").get();
    Waiting.until(() -> paused.counters().buffered() == 1);
    Subscription idle = messaging.pull(JOBS, job -> {});

    untilLooked(() -> idle.counters().acknowledged() == 1);

    idle.close();
    paused.resume();
    messaging.push(JOBS, "later").get();
    Waiting.until(() -> paused.counters().acknowledged() == 7);
  }

  /** It gets them again when its handler has returned. */
  @Test
  void comeBackIfNoOtherWorkerIsThere() throws Exception {
    Subscription busy = busy(Kind.BLOCKING);
    Waiting.until(() -> busy.counters().inFlight() == 1 && busy.counters().buffered() == 5);
    untilLooked(() -> busy.counters().givenBack() > 0);
    release.countDown();
    Waiting.until(() -> busy.counters().acknowledged() == 6);
    assertThat(handled).hasSize(6).containsAll(REST);
  }

  @Test
  void stayWhileHandlersBegin() throws Exception {
    CountDownLatch[] each =
        IntStream.range(0, 6).mapToObj(i -> new CountDownLatch(1)).toArray(CountDownLatch[]::new);
    List<String> begun = new CopyOnWriteArrayList<>();
    Subscription busy = messaging.worker(JOBS).prefetch(10).start(job -> {
      begun.add(job.payload());
      each[begun.size() - 1].await(20, TimeUnit.SECONDS);
    });
    for (int i = 0; i < 6; i++) {
      int now = i + 1;
      Waiting.until(() -> begun.size() == now);
      clock.advance(StuckMessages.INTERVAL);
      each[i].countDown();
    }
    Waiting.until(() -> busy.counters().acknowledged() == 6);
    assertThat(busy.counters().givenBack()).isZero();
  }
}
