package dev.mullion.messaging.kafka;

import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;

/** Runs what blocks, and what is to be done later. */
final class Tasks {
  private final Errors errors;
  private final Executor callbacks;
  private final ExecutorService background;
  private final ScheduledExecutorService timer;

  Tasks(Errors errors, Executor callbacks) {
    this.errors = errors;
    this.callbacks = callbacks;
    this.background = Executors.newFixedThreadPool(2, daemons("mullion-kafka-background"));
    this.timer = Executors.newSingleThreadScheduledExecutor(daemons("mullion-kafka-timer"));
  }

  private static ThreadFactory daemons(String name) {
    return task -> {
      Thread thread = new Thread(task, name);
      thread.setDaemon(true);
      return thread;
    };
  }

  ScheduledExecutorService timer() {
    return timer;
  }

  /** Runs something after a while, on a thread that must not be held up. */
  void later(long millis, Runnable task) {
    try {
      timer.schedule(task, millis, TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException e) {
      // The link is closed.
    }
  }

  /** Asks something that blocks; the answer always comes, whatever is thrown. */
  <T> CompletableFuture<T> background(Callable<T> question) {
    Asked<T> asked = new Asked<>(question);
    try {
      background.execute(asked);
    } catch (RejectedExecutionException e) {
      asked.reject();
    } catch (Throwable e) { // such as no memory for a thread
      asked.answer.completeExceptionally(e);
    }
    return asked.answer;
  }

  /** Runs what may lead to user code. */
  void tell(Runnable answer) {
    try {
      callbacks.execute(answer);
    } catch (RejectedExecutionException e) { // the last ones, while messaging closes
      answer.run();
    }
  }

  /** Ends, and rejects what has not begun. */
  void close() {
    timer.shutdownNow();
    for (Runnable each : background.shutdownNow()) {
      if (each instanceof Asked<?> asked) {
        asked.reject();
      }
    }
  }

  /** What is asked in the background. */
  private final class Asked<T> implements Runnable {
    private final Callable<T> question;
    private final CompletableFuture<T> answer = new CompletableFuture<>();

    Asked(Callable<T> question) {
      this.question = question;
    }

    @Override
    public void run() {
      try {
        T value = question.call();
        tell(() -> answer.complete(value));
      } catch (Throwable e) { // of the client, or of the user's predicate
        Throwable told =
            e instanceof RuntimeException ? errors.of(e, "a question to Kafka", false) : e;
        Throwable shown = told instanceof KafkaFailedException ? e : told;
        tell(() -> answer.completeExceptionally(shown));
      }
    }

    void reject() {
      tell(() -> answer.completeExceptionally(KafkaLink.ended()));
    }
  }
}
