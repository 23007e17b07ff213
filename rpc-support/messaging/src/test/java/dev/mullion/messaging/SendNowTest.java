package dev.mullion.messaging;

import static dev.mullion.messaging.Receiving.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Sends that the embedded engine usually answers within the call, and what becomes of the rest. */
class SendNowTest {
  private static final int SENDERS = 3;
  private static final int EACH = 5_000;
  private static final Topic<String> NEWS = Topic.of("news", Codecs.utf8());

  private final CountDownLatch gate = new CountDownLatch(1);
  private Messaging messaging;

  @BeforeEach
  void start() throws Exception {
    messaging = Messaging.builder(EmbeddedEngine.inMemory())
        .sendTimeout(Duration.ofSeconds(30))
        .start();
  }

  @AfterEach
  void close() {
    gate.countDown();
    messaging.stop(Duration.ofSeconds(1));
  }

  private static WorkQueue<String> queue(int capacity, Overflow overflow) {
    return WorkQueue.builder("jobs", Codecs.utf8())
        .capacity(capacity)
        .overflow(overflow)
        .build();
  }

  @Test
  void publishThatHasToWaitIsPending() throws Exception {
    messaging.subscriber(NEWS).buffer(2).overflow(Overflow.BLOCK).start(news -> gate.await());
    CompletableFuture<Void> waits = messaging.publish(NEWS, "0");
    int published = 1;
    while (waits.isDone() && published < 100) {
      waits = messaging.publish(NEWS, String.valueOf(published++));
    }
    assertThat(waits).isNotDone();
    assertThat(messaging.counters().pending()).isOne();
    assertThat(messaging.counters().pendingBytes()).isPositive();
    assertThat(messaging.counters().accepted()).isEqualTo(published - 1);
    assertThat(messaging.counters().sent()).isEqualTo(published);
    gate.countDown();
    waits.get(20, TimeUnit.SECONDS);
    assertThat(messaging.counters().pending()).isZero();
    assertThat(messaging.counters().accepted()).isEqualTo(published);
  }

  @Test
  void pushThatFailsAtOnceIsCounted() throws Exception {
    WorkQueue<String> jobs = queue(2, Overflow.FAIL);
    messaging.push(jobs, "a").get(20, TimeUnit.SECONDS);
    messaging.push(jobs, "b").get(20, TimeUnit.SECONDS);
    CompletableFuture<Void> third = messaging.push(jobs, "c");
    assertThatThrownBy(() -> third.get(20, TimeUnit.SECONDS))
        .isInstanceOf(ExecutionException.class)
        .hasCauseInstanceOf(QueueFullException.class);
    assertThat(messaging.counters().accepted()).isEqualTo(2);
    assertThat(messaging.counters().failed()).isOne();
    assertThat(messaging.counters().sent()).isEqualTo(3);
    assertThat(messaging.counters().pending()).isZero();
  }

  @Test
  void jobsKeepTheirOrderWhateverWayTheyWerePushed() throws Exception {
    WorkQueue<String> jobs = queue(1_000, Overflow.BLOCK);
    List<String> pushed = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      Message<String> job = Message.of("job " + i);
      pushed.add(job.payload());
      messaging.pushMessage(jobs, i % 7 == 0 ? job.withKey("k") : job).get(20, TimeUnit.SECONDS);
      if (i % 50 == 0) {
        assertThat(messaging
                .queues()
                .toCompletableFuture()
                .get(20, TimeUnit.SECONDS)
                .get(0))
            .satisfies(status -> assertThat(status.waiting()).isEqualTo(pushed.size()));
      }
    }
    List<String> handled = new ArrayList<>();
    Subscription worker =
        messaging.worker(jobs).prefetch(16).start(job -> handled.add(job.payload()));
    await("all", () -> worker.counters().acknowledged() == pushed.size());
    worker.close();
    assertThat(handled).isEqualTo(pushed);
  }

  @Test
  void boundedQueueBetweenManyThreadsLosesNothing() throws Exception {
    WorkQueue<String> jobs = queue(20, Overflow.BLOCK);
    AtomicInteger handled = new AtomicInteger();
    for (int i = 0; i < SENDERS; i++) {
      messaging.worker(jobs).prefetch(8).start(job -> handled.incrementAndGet());
    }
    List<CompletableFuture<Void>> senders = new ArrayList<>();
    for (int i = 0; i < SENDERS; i++) {
      senders.add(CompletableFuture.runAsync(() -> {
        for (int job = 0; job < EACH; job++) {
          messaging.push(jobs, "x").join();
        }
      }));
    }
    for (CompletableFuture<Void> sender : senders) {
      sender.get(60, TimeUnit.SECONDS);
    }
    await("all", () -> handled.get() == SENDERS * EACH);
    assertThat(messaging.counters().accepted()).isEqualTo(SENDERS * EACH);
    assertThat(messaging.counters().sent()).isEqualTo(SENDERS * EACH);
    assertThat(messaging.counters().pending()).isZero();
  }
}
