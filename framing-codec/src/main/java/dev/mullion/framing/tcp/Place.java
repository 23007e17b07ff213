package dev.mullion.framing.tcp;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledFuture;
import org.jspecify.annotations.Nullable;

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

    private @Nullable ScheduledFuture<?> timeout;

    /** Sets the timer to cancel when the request is done; cancels it at once if it already is. */
    void timeout(ScheduledFuture<?> timeout) {
      this.timeout = timeout;
    }

    void done() {
      if (timeout != null) {
        timeout.cancel(false);
      }
    }
  }
}
