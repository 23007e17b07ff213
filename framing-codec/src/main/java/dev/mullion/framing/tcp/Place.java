package dev.mullion.framing.tcp;

import java.util.concurrent.CompletableFuture;

/** The recipient of the reply to a frame. */
sealed interface Place {
  /** For a frame that is not a request: its reply is dropped. */
  Place NOBODY = new Nobody();

  /** The place of a frame that is not a request. */
  record Nobody() implements Place {}

  /** A request; also the future that its sender gets. */
  final class Request extends CompletableFuture<byte[]> implements Place {
    /** The number of non-request frames sent after it and before the next request. */
    long followers;

    final long timeoutNanos;

    /** When it fails without a reply, on the clock of {@link RequestTimeouts}. */
    final long deadline;

    Request(long timeoutNanos) {
      this.timeoutNanos = timeoutNanos;
      deadline = RequestTimeouts.deadline(timeoutNanos);
    }
  }
}
