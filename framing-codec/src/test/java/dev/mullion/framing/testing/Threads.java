package dev.mullion.framing.testing;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
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

  /** What is done with one of several values. */
  public interface Task<T> {
    /** Does it. */
    void run(T value) throws Exception;
  }

  /**
   * Runs a task for each value, all at the same time, and waits for them: for tests that wait much
   * longer than they work.
   *
   * @throws AssertionError if one of them fails; its text begins with that one's value
   */
  public static <T> void forEach(List<T> values, Task<T> task) throws Exception {
    List<AssertionError> failures = new CopyOnWriteArrayList<>();
    List<CompletableFuture<Void>> all = new ArrayList<>();
    for (T value : values) {
      all.add(run(() -> {
        try {
          task.run(value);
        } catch (Exception | AssertionError e) {
          failures.add(new AssertionError(value + ": " + e, e));
        }
      }));
    }
    for (CompletableFuture<Void> each : all) {
      each.get();
    }
    if (!failures.isEmpty()) {
      AssertionError first = failures.get(0);
      failures.stream().skip(1).forEach(first::addSuppressed);
      throw first;
    }
  }
}
