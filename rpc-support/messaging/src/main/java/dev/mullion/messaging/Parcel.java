package dev.mullion.messaging;

import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Settlement;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * What the embedded engine hands out once. It is a link of a list too, so that a message costs no
 * second object: first of the list of those that wait, then of its source's list of those assigned.
 */
abstract class Parcel implements RawDelivery {
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

  /** Returns what it consists of, one for each message. */
  List<? extends Parcel> parcels() {
    return List.of(this);
  }

  /** Adds what it consists of to a list. */
  void addTo(List<Parcel> parcels) {
    parcels.add(this);
  }

  /** Takes the parcel back that was assigned and could not be handed out. */
  abstract void takeBack();

  @Override
  public int failures() {
    return 0; // only jobs are delivered again
  }

  @Override
  public int losses() {
    return 0;
  }

  /** The engine has no leases: what is handed out stays so until it is settled. */
  @Override
  public CompletionStage<Void> extend(Duration time) {
    return DONE;
  }
}
