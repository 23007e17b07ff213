package dev.mullion.messaging;

import static dev.mullion.messaging.Receiving.await;
import static dev.mullion.messaging.Receiving.checked;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
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
    HandlerThreads.create(1)
        .execute(
            () -> {
              virtual.set(Thread.currentThread().toString().startsWith("VirtualThread"));
              gate.countDown();
            },
            AssertionError::new);
    await("the task", () -> gate.getCount() == 0);
    assertThat(virtual.get()).isEqualTo(Runtime.version().feature() >= 21);
  }

  @Test
  void boundedPoolCountsWhatWaits() {
    HandlerThreads threads = HandlerThreads.bounded(2);
    AtomicInteger running = new AtomicInteger();
    for (int i = 0; i < 5; i++) {
      threads.execute(
          () -> {
            running.incrementAndGet();
            awaitGate();
            throw new IllegalStateException("a task that fails does not take its thread along");
          },
          AssertionError::new);
    }
    await("two threads", () -> running.get() == 2);
    assertThat(threads.waiting()).isEqualTo(3);
    assertThat(threads.areContended()).isTrue();
    gate.countDown();
    await("all", () -> running.get() == 5 && threads.waiting() == 0);
    assertThat(threads.areContended()).isFalse();
    threads.execute(() -> handled.add("again"), AssertionError::new);
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
      await("all", () -> checked(worker).acknowledged() == 4);
      assertThat(handled).containsExactlyInAnyOrder("a", "b", "c", "d");
    }
  }

  /**
   * A delayed redelivery ran such a handler on the thread of all timers, and a push ran it inside
   * the sender's call.
   */
  @Test
  void executorThatRunsTasksOnTheCallersThreadHasNoneOfTheEngineOrOfSenders() throws Exception {
    Topic<String> topic = Topic.of("t", Codecs.utf8());
    Subject<String, String> subject = Subject.of("s", Codecs.utf8(), Codecs.utf8());
    Signal<String> signal = Signal.of("g", Codecs.utf8());
    WorkQueue<String> queue = WorkQueue.builder("q", Codecs.utf8())
        .redelivery(Redelivery.constant(2, Duration.ofMillis(1)))
        .build();
    try (Messaging messaging = Messaging.builder(EmbeddedEngine.inMemory())
        .handlerExecutor(Runnable::run)
        .start()) {
      messaging.pull(queue, job -> {
        handled.add(Thread.currentThread().getName());
        if (!job.isLast()) {
          throw new IllegalStateException("again");
        }
      });
      messaging.subscribe(topic, event -> handled.add(Thread.currentThread().getName()));
      messaging.receive(signal, event -> handled.add(Thread.currentThread().getName()));
      messaging.reply(subject, question -> Thread.currentThread().getName());
      messaging.push(queue, "a").get();
      messaging.publish(topic, "a").get();
      messaging.send(signal, "a");
      handled.add(messaging.request(subject, "a", Duration.ofSeconds(10)).get());
      await("all", () -> handled.size() == 5);
      assertThat(handled).allMatch(name -> name.startsWith("messaging-handler-"));
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
      await("the message", () -> {
        receiving.engine.clock.advance(Duration.ofMillis(100));
        return checked(worker).acknowledged() == 1;
      });
      assertThat(tasks).isEmpty();
    }
  }

  @Test
  void nextAttemptComesAlthoughThereWasNoThreadForIt() throws Exception {
    try (Receiving receiving = new Receiving()) {
      receiving.failingCallbacks.set(2);
      Subscription worker = receiving
          .subscriptions
          .worker(QUEUE)
          .prefetch(1)
          .start(delivery -> handled.add(delivery.payload()));
      receiving.source("q").failRequests(1);
      receiving.source("q").push("a", "b", "c");
      await("all", () -> {
        receiving.engine.clock.advance(Duration.ofMillis(100));
        return checked(worker).acknowledged() == 3;
      });
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
    BlockingQueue<Runnable> tasks = new LinkedBlockingQueue<>();
    ExecutorService executor = new ThreadPoolExecutor(1, 1, 0, TimeUnit.SECONDS, tasks);
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
      await("both runners", () -> tasks.size() == 2);
      gate.countDown();
      await("all", () -> handled.size() == 1002);
      assertThat(handled.indexOf("other")).isLessThan(1001);
    } finally {
      executor.shutdown();
    }
  }
}
