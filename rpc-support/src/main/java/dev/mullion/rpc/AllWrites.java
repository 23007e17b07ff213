package dev.mullion.rpc;

import java.util.Iterator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** Writes what an iterator has, each message when the one before is written. */
final class AllWrites {
  private AllWrites() {}

  /** A loop, since stages that are complete would nest as deep as there are messages. */
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
