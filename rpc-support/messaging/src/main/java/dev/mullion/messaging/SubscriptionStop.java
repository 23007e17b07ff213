package dev.mullion.messaging;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * The stop of one subscription: no new deliveries, what waits goes back, handlers finish or are
 * interrupted, the engine answers all outcomes, and the source is closed. Each step is bounded. A
 * handler that calls it is not waited for; then the source is closed when that handler has ended.
 */
final class SubscriptionStop<T> {
  /** How long outcomes may take to be answered when the time is over. */
  static final Duration GRACE = Duration.ofSeconds(1);

  private final RunningSubscription<T> owner;
  private final Inbox<T> inbox;
  private final MessagingClock clock;
  private final AtomicBoolean begun = new AtomicBoolean();
  private final AtomicBoolean finishing = new AtomicBoolean();
  private final AtomicBoolean sourceClosed = new AtomicBoolean();
  private final CompletableFuture<@Nullable Void> quiet = new CompletableFuture<>();
  private final CompletableFuture<@Nullable Void> settled = new CompletableFuture<>();
  private final CompletableFuture<StopReport> done = new CompletableFuture<>();
  private volatile boolean fromHandler; // the one that finishes is a handler itself
  private volatile boolean awaitsSettled;
  private volatile boolean closesWhenIdle;

  SubscriptionStop(RunningSubscription<T> owner, MessagingClock clock) {
    this.owner = owner;
    this.inbox = owner.inbox();
    this.clock = clock;
  }

  /** Takes no more deliveries, and gives back what waits. */
  void begin() {
    if (begun.compareAndSet(false, true)) {
      try {
        owner.source().cancel();
      } catch (Throwable e) {
        LimitedLog.warn("cancel", "the engine failed in cancel (" + owner.address() + ")", e);
      }
    }
    owner.giveBackWaiting();
  }

  boolean isBegun() {
    return begun.get();
  }

  /** Stops, or waits for the stop that is under way, and shortens it if this timeout is shorter. */
  StopReport stop(Duration timeout, Duration grace) {
    HandlerRunner<?> inside = HandlerRunner.current();
    for (HandlerRunner<?> each = inside; each != null; each = each.outer()) {
      each.enterStop(owner);
    }
    try {
      begin();
      if (finishing.compareAndSet(false, true)) {
        fromHandler = inside != null;
        finish(timeout, grace);
      } else if (!ClockWait.await(done, clock, timeout)) {
        quiet.completeExceptionally(new TimeoutException());
      }
      return done.join();
    } finally {
      for (HandlerRunner<?> each = inside; each != null; each = each.outer()) {
        each.leaveStop(owner);
      }
    }
  }

  private void finish(Duration timeout, Duration grace) {
    TimeLeft left = new TimeLeft(clock, timeout);
    try {
      callEnded();
      if (!ClockWait.await(quiet, clock, timeout) || quiet.isCompletedExceptionally()) {
        owner.interruptAll(fromHandler);
      }
      awaitsSettled = true;
      answered();
      boolean answered = awaitSettled(left.get(), grace);
      if (!answered && inbox.isIdle()) {
        closeSource();
      }
      closesWhenIdle = true; // at once, if no handler is left that has called this
      closeIfIdle();
    } finally {
      done.complete(inbox.report(left.passed()));
      owner.ended();
    }
  }

  /** Waits for the engine's answers; an interrupted thread waits for the grace only. */
  private boolean awaitSettled(Duration left, Duration grace) {
    boolean interrupted = Thread.interrupted();
    try {
      return ClockWait.await(
          settled, clock, interrupted || left.compareTo(grace) < 0 ? grace : left);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Looks whether all handlers have ended; called when one has, or waits for a stop. */
  void callEnded() {
    if (finishing.get() && inbox.isQuiet(fromHandler)) {
      quiet.complete(null);
    }
    closeIfIdle();
  }

  /** Looks whether all outcomes are answered. */
  void answered() {
    if (awaitsSettled && inbox.unsettled.get() == 0) {
      settled.complete(null);
    }
    closeIfIdle();
  }

  private void closeIfIdle() {
    if (closesWhenIdle && inbox.isIdle() && inbox.unsettled.get() == 0) {
      closeSource();
    }
  }

  private void closeSource() {
    if (sourceClosed.compareAndSet(false, true)) {
      try {
        owner.source().close();
      } catch (Throwable e) {
        LimitedLog.warn("close", "the engine failed to close (" + owner.address() + ")", e);
      }
    }
  }
}
