package dev.mullion.messaging.grpc;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class LaterTest {

  /** A client never connected again after there was no thread for one attempt. */
  @Test
  void workWithoutThreadIsPassedOnAgain() {
    AtomicInteger attempts = new AtomicInteger();
    CompletableFuture<Void> done = new CompletableFuture<>();
    Later.on(
            task -> {
              if (attempts.incrementAndGet() < 3) {
                throw new OutOfMemoryError("unable to create native thread, on purpose");
              }
              task.run();
            },
            () -> done.complete(null))
        .run();
    Eventually.get("the work", done);
  }
}
