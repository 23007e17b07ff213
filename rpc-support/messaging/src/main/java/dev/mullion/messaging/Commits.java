package dev.mullion.messaging;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The changes on their way to a store. After the first that fails nothing is accepted any more: the
 * disk and the memory would differ.
 */
final class Commits {
  final Store store;
  private final Consumer<StoreException> onFailure;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition progress = lock.newCondition();
  private long begun;
  private long ended;
  private volatile @Nullable StoreException failure;

  Commits(Store store, Consumer<StoreException> onFailure) {
    this.store = store;
    this.onFailure = onFailure;
  }

  /** Returns why the store takes no further change. */
  @Nullable
  StoreException failure() {
    return failure;
  }

  /**
   * Applies the steps together; a failed stage has a {@link StoreException}.
   *
   * @param applied called with the failure or {@code null}, before the stage completes
   */
  CompletionStage<Void> apply(
      List<Store.Step> steps, Consumer<? super @Nullable StoreException> applied) {
    StoreException before = failure;
    if (before != null) {
      applied.accept(before);
      return CompletableFuture.failedStage(before);
    }
    count(1, 0);
    CompletableFuture<Void> done = new CompletableFuture<>();
    CompletionStage<Void> stage;
    try {
      stage = store.apply(steps);
    } catch (RuntimeException | Error e) { // it must not leave the callers waiting
      stage = CompletableFuture.failedStage(e);
    }
    stage.whenComplete((nothing, error) -> {
      Throwable outcome = error;
      try {
        StoreException failed = error == null ? null : failed(error);
        outcome = failed;
        applied.accept(failed);
      } catch (Throwable e) { // the stage has its end all the same
        LimitedLog.warn("applied", "a change is stored, but has no effect", e);
        outcome = outcome == null ? e : outcome;
      } finally {
        try {
          Stages.complete(done, outcome);
        } finally {
          count(0, 1); // after what depends on it
        }
      }
    });
    return done;
  }

  private StoreException failed(Throwable error) {
    Throwable cause = Answers.cause(error);
    StoreException failed = cause instanceof StoreException known
        ? known
        : new StoreException("the store failed: " + cause, cause);
    lock.lock();
    try {
      StoreException first = failure;
      if (first != null) {
        return first;
      }
      failure = failed;
    } finally {
      lock.unlock();
    }
    onFailure.accept(failed);
    return failed;
  }

  private void count(int moreBegun, int moreEnded) {
    lock.lock();
    try {
      begun += moreBegun;
      ended += moreEnded;
      if (moreEnded > 0) {
        progress.signalAll();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Waits until all changes made so far have ended; false if that takes longer. */
  boolean await(long nanos) {
    boolean interrupted = false;
    long end = System.nanoTime() + nanos;
    lock.lock();
    try {
      long all = begun;
      long left = nanos;
      while (ended < all && left > 0) {
        try {
          progress.awaitNanos(left);
        } catch (InterruptedException e) { // outcomes are to be applied; the time is bounded
          interrupted = true;
        }
        left = end - System.nanoTime();
      }
      return ended >= all;
    } finally {
      lock.unlock();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Returns whether no change is on its way. */
  boolean isIdle() {
    lock.lock();
    try {
      return begun == ended;
    } finally {
      lock.unlock();
    }
  }

  /** Waits for what is on its way, and closes the store. */
  void close() {
    await(TimeUnit.SECONDS.toNanos(10));
    store.close();
  }
}
