package dev.mullion.messaging;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** Looks at stages of engines and users without waiting for them. */
final class Stages {
  private Stages() {}

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
