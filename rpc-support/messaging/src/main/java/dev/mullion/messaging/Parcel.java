package dev.mullion.messaging;

import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Settlement;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * What the embedded engine hands out once: one message, or several. It is a link of a list too, so
 * that it costs no second object: first of the list of those that wait, then of its source's list
 * of those assigned.
 */
abstract class Parcel {
  static final CompletionStage<Void> DONE = CompletableFuture.completedStage(null);
  static final CompletionStage<Settlement> APPLIED =
      CompletableFuture.completedStage(Settlement.APPLIED);
  static final CompletionStage<Settlement> LEASE_LOST =
      CompletableFuture.completedStage(Settlement.LEASE_LOST);

  @Nullable
  Parcel next;

  /** Gets what is missing, just before the parcel is handed out; may read from disk. */
  void load() throws MessagingException {}

  /** Returns of how many messages it consists. */
  int count() {
    return 1;
  }

  /** Returns its messages, as the sink gets them; it was loaded. */
  abstract List<? extends RawDelivery> deliveries();

  /** Takes the parcel back that was assigned and could not be handed out. */
  abstract void takeBack();
}
