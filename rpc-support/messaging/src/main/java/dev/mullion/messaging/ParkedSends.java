package dev.mullion.messaging;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Sends that wait for room, first in, first out. Guarded by their owner's lock. One alarm stands
 * for all their timeouts, and stays set when a send is accepted: a full queue is no rare case.
 */
final class ParkedSends<P extends Parcel> {
  private final ArrayDeque<Parked<P>> sends = new ArrayDeque<>();

  boolean isEmpty() {
    return sends.isEmpty();
  }

  Parked<P> add(P parcel, EmbeddedLink link) {
    Parked<P> send = new Parked<>(parcel, link);
    sends.add(send);
    return send;
  }

  void addAgain(Parked<P> send) {
    sends.add(send);
  }

  @Nullable
  Parked<P> peek() {
    return sends.peek();
  }

  Parked<P> remove() {
    return sends.remove();
  }

  List<Parked<P>> removeAll() {
    return remove(send -> true);
  }

  List<Parked<P>> removeOf(EmbeddedLink link) {
    return remove(send -> send.link == link);
  }

  /** Removes those whose time is over. */
  List<Parked<P>> removeLate() {
    if (sends.isEmpty()) {
      return List.of();
    }
    long now = sends.element().link.clock().nanoTime();
    return remove(send -> send.deadline != Times.NEVER && send.deadline - now <= 0);
  }

  private List<Parked<P>> remove(Predicate<Parked<P>> which) {
    List<Parked<P>> removed = new ArrayList<>();
    for (Iterator<Parked<P>> all = sends.iterator(); all.hasNext(); ) {
      Parked<P> send = all.next();
      if (which.test(send)) {
        all.remove();
        removed.add(send);
      }
    }
    return removed;
  }

  /** Returns the earliest time at which one is late; {@code NEVER} without any. */
  long earliestDeadline() {
    long earliest = Times.NEVER;
    for (Parked<P> send : sends) {
      earliest = Math.min(earliest, send.deadline);
    }
    return earliest;
  }

  /** A send that waits. It leaves once: accepted, late or withdrawn. */
  static final class Parked<P extends Parcel> {
    final P parcel;
    final EmbeddedLink link;
    final long deadline;
    final CompletableFuture<Void> done = new CompletableFuture<>();

    private Parked(P parcel, EmbeddedLink link) {
      this.parcel = parcel;
      this.link = link;
      this.deadline = Times.after(link.sendTimeout(), link.clock());
    }

    /** Completes its stage; under no lock. */
    void end(@Nullable Throwable cause) {
      Stages.complete(done, cause);
    }
  }
}
