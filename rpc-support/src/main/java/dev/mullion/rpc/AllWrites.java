package dev.mullion.rpc;

import java.util.Iterator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** Writes the messages of an iterator, each once the previous one is written. */
final class AllWrites {
  private AllWrites() {}

  /**
   * Loops over completed stages, since chaining them would nest as deeply as there are messages.
   */
  static <T> void next(
      StreamWriter<T> writer, Iterator<? extends T> messages, CompletableFuture<Void> all) {
    try {
      while (messages.hasNext()) {
        CompletableFuture<Void> written = writer.writeAsync(messages.next()).toCompletableFuture();
        if (!written.isDone()) {
          written.whenComplete((done, error) -> {
            if (error == null) {
              next(writer, messages, all);
            } else {
              all.completeExceptionally(error);
            }
          });
          return;
        }
        written.join();
      }
      all.complete(null);
    } catch (CompletionException failed) {
      all.completeExceptionally(failed.getCause() == null ? failed : failed.getCause());
    } catch (Throwable failed) {
      all.completeExceptionally(failed);
    }
  }
}
