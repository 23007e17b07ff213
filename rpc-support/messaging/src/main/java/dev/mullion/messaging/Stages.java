package dev.mullion.messaging;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Completes stages, and looks at those of engines and users without waiting for them. */
final class Stages {
  private Stages() {}

  /** Completes a future, with the error if there is one. */
  static void complete(CompletableFuture<Void> done, @Nullable Throwable error) {
    if (error == null) {
      done.complete(null);
    } else {
      done.completeExceptionally(error);
    }
  }

  /** Returns a stage that is complete once both are; {@link Parcel#DONE} is complete already. */
  static CompletionStage<Void> both(CompletionStage<Void> one, CompletionStage<Void> other) {
    if (one == Parcel.DONE || other == Parcel.DONE) {
      return one == Parcel.DONE ? other : one;
    }
    return CompletableFuture.allOf(one.toCompletableFuture(), other.toCompletableFuture());
  }

  /** Completes a future as a stage does that is yet to be made; if that fails, it fails too. */
  static void follow(CompletableFuture<Void> done, Supplier<CompletionStage<Void>> stage) {
    try {
      stage.get().whenComplete((nothing, error) -> complete(done, error));
    } catch (Throwable e) {
      done.completeExceptionally(e);
    }
  }

  /** Returns a stage's future if it is complete already, which spares a continuation; else null. */
  static <V> @Nullable CompletableFuture<V> ifDone(CompletionStage<V> stage) {
    if (!(stage instanceof CompletableFuture<V>)) {
      return null;
    }
    // Not the stage itself: a minimal one is such a future too, and throws if it is asked.
    CompletableFuture<V> future = stage.toCompletableFuture();
    return future.isDone() ? future : null;
  }
}
