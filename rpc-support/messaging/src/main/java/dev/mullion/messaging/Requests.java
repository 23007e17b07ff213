package dev.mullion.messaging;

import java.util.concurrent.CompletableFuture;

/** Requests in flight. */
final class Requests {
  private Requests() {}

  /** Returns the future of a reply's payload; to cancel it cancels the request. */
  static <R> CompletableFuture<R> payload(CompletableFuture<Message<R>> request) {
    CompletableFuture<R> payload = request.thenApply(Message::payload);
    payload.whenComplete((reply, error) -> {
      if (payload.isCancelled()) {
        request.cancel(false);
      }
    });
    return payload;
  }
}
