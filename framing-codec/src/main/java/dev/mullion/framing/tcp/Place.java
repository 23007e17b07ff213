package dev.mullion.framing.tcp;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledFuture;
import org.jspecify.annotations.Nullable;

/** Who takes the reply to a frame. */
sealed interface Place {
  /** Of a frame that is no request: its reply is dropped. */
  Place NOBODY = new Nobody();

  /** The place of a frame that is no request. */
  record Nobody() implements Place {}

  /** A request; also what its sender gets. */
  final class Request extends CompletableFuture<byte[]> implements Place {
    /** How many frames that are no requests were sent behind it, and before the next request. */
    long followers;

    private @Nullable ScheduledFuture<?> timeout;

    /** Sets what is cancelled when it is done, or at once if that has happened. */
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
