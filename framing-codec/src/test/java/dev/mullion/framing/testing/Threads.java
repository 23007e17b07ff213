package dev.mullion.framing.testing;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Supplier;

/** Tasks that block, each in a thread of its own: the common pool may have a single one. */
public final class Threads {
  private static final Executor EACH = task -> {
    Thread thread = new Thread(task, "test-task");
    thread.setDaemon(true);
    thread.start();
  };

  private Threads() {}

  /** Runs a task. */
  public static CompletableFuture<Void> run(Runnable task) {
    return CompletableFuture.runAsync(task, EACH);
  }

  /** Runs a task that has a result. */
  public static <T> CompletableFuture<T> call(Supplier<T> task) {
    return CompletableFuture.supplyAsync(task, EACH);
  }
}
