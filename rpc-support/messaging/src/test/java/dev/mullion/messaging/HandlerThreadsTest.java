package dev.mullion.messaging;

import static dev.mullion.messaging.Receiving.await;
import static dev.mullion.messaging.Receiving.checked;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class HandlerThreadsTest {
  private static final WorkQueue<String> QUEUE = WorkQueue.of("q", Codecs.utf8());
  private final CountDownLatch gate = new CountDownLatch(1);
  private final List<String> handled = new CopyOnWriteArrayList<>();

  private static Receiving receiving(Executor executor) {
    return new Receiving(new MessagingBuilder(new ScriptedEngine()).handlerExecutor(executor));
  }

  @Test
  void virtualThreadsWhereTheJdkHasThem() {
    AtomicBoolean virtual = new AtomicBoolean();
    HandlerThreads.create(1).execute(() -> {
      virtual.set(Thread.currentThread().toString().startsWith("VirtualThread"));
      gate.countDown();
    });
    await("the task", () -> gate.getCount() == 0);
    assertThat(virtual.get()).isEqualTo(Runtime.version().feature() >= 21);
  }

  @Test
  void boundedPoolCountsWhatWaits() {
    HandlerThreads threads = HandlerThreads.bounded(2);
    AtomicInteger running = new AtomicInteger();
    for (int i = 0; i < 5; i++) {
      threads.execute(() -> {
        running.incrementAndGet();
        awaitGate();
        throw new IllegalStateException("a task that fails does not take its thread along");
      });
    }
    await("two threads", () -> running.get() == 2);
    assertThat(threads.waiting()).isEqualTo(3);
    assertThat(threads.areContended()).isTrue();
    gate.countDown();
    await("all", () -> running.get() == 5 && threads.waiting() == 0);
    assertThat(threads.areContended()).isFalse();
    threads.execute(() -> handled.add("again"));
    await("another", () -> handled.size() == 1);
  }

  private void awaitGate() {
    try {
      gate.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void usersExecutorRunsBlockingHandlersOnly() throws Exception {
    ExecutorService executor = Executors.newSingleThreadExecutor(task -> new Thread(task, "users"));
    try (Receiving receiving = receiving(executor)) {
      receiving
          .subscriptions
          .worker(QUEUE)
          .start(delivery -> handled.add(Thread.currentThread().getName()));
      receiving.source("q").push("a");
      await("the handler", () -> handled.size() == 1);
      assertThat(handled).containsExactly("users");
      receiving.subscriptions.worker(QUEUE).startAsync(delivery -> {
        handled.add(Thread.currentThread().getName());
        return java.util.concurrent.CompletableFuture.completedFuture(null);
      });
      receiving.source("q").push("b");
      await("the async handler", () -> handled.size() == 2);
      assertThat(handled.get(1)).isNotEqualTo("users");
    } finally {
      executor.shutdown();
    }
    assertThat(executor.awaitTermination(10, java.util.concurrent.TimeUnit.SECONDS))
        .isTrue();
  }

  @Test
  void executorThatRunsTasksOnTheCallersThread() throws Exception {
    try (Receiving receiving = receiving(Runnable::run)) {
      Subscription worker = receiving
          .subscriptions
          .worker(QUEUE)
          .concurrency(3)
          .start(delivery -> handled.add(delivery.payload()));
      receiving.source("q").push("a", "b", "c", "d");
      assertThat(handled).containsExactly("a", "b", "c", "d");
      assertThat(checked(worker).acknowledged()).isEqualTo(4);
    }
  }

  @Test
  void executorThatRejectsIsTriedAgain() throws Exception {
    Queue<Runnable> tasks = new ArrayDeque<>();
    AtomicBoolean rejects = new AtomicBoolean(true);
    try (Receiving receiving = receiving(task -> {
      if (rejects.get()) {
        throw new RejectedExecutionException("full");
      }
      task.run();
    })) {
      Subscription worker =
          receiving.subscriptions.worker(QUEUE).start(delivery -> handled.add(delivery.payload()));
      ScriptedDelivery delivery = receiving.source("q").push("a").get(0);
      assertThat(delivery.outcomes).isEmpty();
      assertThat(checked(worker).buffered()).isOne();
      rejects.set(false);
      receiving.engine.clock.advance(Duration.ofMillis(100));
      await("the message", () -> checked(worker).acknowledged() == 1);
      assertThat(tasks).isEmpty();
    }
  }

  @Test
  void interruptFromTheUsersExecutorIsKeptForIt() throws Exception {
    ExecutorService executor = Executors.newCachedThreadPool();
    List<Boolean> flags = new CopyOnWriteArrayList<>();
    try (Receiving receiving = receiving(task -> executor.execute(() -> {
      task.run();
      flags.add(Thread.interrupted());
    }))) {
      Subscription worker = receiving.subscriptions.worker(QUEUE).start(delivery -> {
        handled.add(delivery.payload() + " " + Thread.currentThread().isInterrupted());
        if (delivery.payload().equals("a")) {
          Thread.currentThread().interrupt();
        }
      });
      worker.pause();
      receiving.source("q").push("a", "b");
      worker.resume();
      await("both", () -> checked(worker).acknowledged() == 2);
      assertThat(handled).containsExactly("a false", "b false");
      await("the runners", () -> flags.size() == 2);
      assertThat(flags).containsExactlyInAnyOrder(true, false);
    } finally {
      executor.shutdown();
    }
  }

  @Test
  void aBusySubscriptionLetsOthersHaveTheThread() throws Exception {
    ExecutorService executor = Executors.newSingleThreadExecutor();
    try (Receiving receiving = receiving(executor)) {
      Subscription busy = receiving
          .subscriptions
          .worker(QUEUE)
          .prefetch(1000)
          .start(delivery -> handled.add(delivery.payload()));
      busy.pause();
      for (int i = 0; i < 1001; i++) {
        receiving.source("q").push("m");
      }
      executor.execute(this::awaitGate);
      busy.resume();
      receiving
          .subscriptions
          .worker(WorkQueue.of("r", Codecs.utf8()))
          .start(delivery -> handled.add("other"));
      receiving.source("r").push(ScriptedDelivery.of("r", "other"));
      assertThat(receiving.subscriptions.handlersWaiting()).isEqualTo(2);
      gate.countDown();
      await("all", () -> handled.size() == 1002);
      assertThat(handled.indexOf("other")).isLessThan(1001);
    } finally {
      executor.shutdown();
    }
  }
}
