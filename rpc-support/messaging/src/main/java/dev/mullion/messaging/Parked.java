package dev.mullion.messaging;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** A send that waits for room. It leaves its queue once: accepted, timed out or withdrawn. */
final class Parked<P extends Parcel> {
  final P parcel;
  final EmbeddedLink link;
  final CompletableFuture<Void> done = new CompletableFuture<>();
  private volatile MessagingClock.@Nullable Timer timer;

  Parked(P parcel, EmbeddedLink link) {
    this.parcel = parcel;
    this.link = link;
  }

  /** Starts its time; under no lock. */
  void start(MessagingClock clock, Runnable timedOut) {
    Duration sendTimeout = link.sendTimeout();
    MessagingClock.Timer started = clock.schedule(sendTimeout, timedOut);
    timer = started;
    if (done.isDone()) {
      started.cancel();
    }
  }

  void accept() {
    end(null);
  }

  void fail(Throwable cause) {
    end(cause);
  }

  /** Completes its stage; under no lock. */
  void end(@Nullable Throwable cause) {
    MessagingClock.Timer started = timer;
    if (started != null) {
      started.cancel();
    }
    if (cause == null) {
      done.complete(null);
    } else {
      done.completeExceptionally(cause);
    }
  }
}
