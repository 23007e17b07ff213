package dev.mullion.messaging;

import dev.mullion.messaging.engine.EngineLink;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The stop of a {@code Messaging}: intake, handlers and repliers, sends, settlements, link. Each
 * step runs whatever became of the one before, and all share one deadline.
 */
final class StopSequence {
  private static final Duration LONGEST = Duration.ofDays(365);
  private static final Duration LINK_GRACE = Duration.ofSeconds(1);
  private static final StopReport EMPTY = new StopReport(Duration.ZERO, 0, 0, 0);

  private final MessagingClock clock;
  private final Intake intake;
  private final PendingLimits limits;
  private final Subscriptions subscriptions;
  private final Answers answers;
  private final Requests requests;
  private final EngineLink link;
  private final ListenerCalls listener;
  private final Callbacks callbacks;
  private final AtomicBoolean begun = new AtomicBoolean();
  private final CompletableFuture<StopReport> done = new CompletableFuture<>();

  StopSequence(
      MessagingClock clock,
      Intake intake,
      PendingLimits limits,
      Subscriptions subscriptions,
      Answers answers,
      Requests requests,
      EngineLink link,
      ListenerCalls listener,
      Callbacks callbacks) {
    this.clock = clock;
    this.intake = intake;
    this.limits = limits;
    this.subscriptions = subscriptions;
    this.answers = answers;
    this.requests = requests;
    this.link = link;
    this.listener = listener;
    this.callbacks = callbacks;
  }

  /**
   * Stops, or waits for the stop that is under way. A handler cannot wait for a stop, which waits
   * for it: then the stop goes on by itself. Neither can the listener wait for another's.
   */
  StopReport stop(Duration timeout) {
    Duration bound = timeout.compareTo(LONGEST) < 0 ? timeout : LONGEST;
    boolean inHandler = intake.caller().isInside();
    if (begun.compareAndSet(false, true)) {
      intake.handlersOnly();
      if (!inHandler || !daemon("messaging-stop", () -> run(bound))) {
        run(bound);
      }
    }
    boolean waitedFor = inHandler || listener.isCalling();
    return waitedFor && !done.isDone() ? EMPTY : done.join(); // an interrupt is kept
  }

  boolean isBegun() {
    return begun.get();
  }

  private void run(Duration timeout) {
    TimeLeft left = new TimeLeft(clock, timeout);
    StopReport report = EMPTY;
    try {
      step("senders", limits::closeOutside);
      report = handlers(left.get());
      step("sends", () -> sends(left.get()));
      step("link", () -> closeLink(left.get()));
      step("listener", () -> listener.close(left.get()));
      step("callbacks", callbacks::close);
    } finally {
      done.complete(new StopReport(
          left.passed(), report.finished(), report.givenBack(), report.interrupted()));
    }
  }

  private StopReport handlers(Duration left) {
    try {
      return subscriptions.stop(left);
    } catch (Throwable e) {
      LimitedLog.warn("stop", "the stop of the subscriptions failed", e);
      return EMPTY;
    }
  }

  /** Lets pending sends have their answer, and fails those that have none at the deadline. */
  private void sends(Duration left) {
    intake.close();
    try {
      ClockWait.await(limits.close(), clock, left);
    } finally {
      Supplier<Throwable> error = () ->
          new BrokerAwayException("messaging was closed before the engine answered", null, true);
      answers.stop(error);
      requests.stop(error);
    }
  }

  /**
   * Closes the link on a thread of its own: an engine whose close hangs does not hold up the
   * caller. There is a moment for it after the deadline too, at which messages are still given
   * back.
   */
  private void closeLink(Duration left) {
    Duration bound = left.compareTo(LINK_GRACE) < 0 ? LINK_GRACE : left;
    CompletableFuture<@Nullable Void> closed = new CompletableFuture<>();
    Runnable close = () -> {
      try {
        link.close(bound);
      } catch (Throwable e) {
        LimitedLog.warn("stop", "the engine's link failed to close", e);
      } finally {
        closed.complete(null);
      }
    };
    if (!daemon("messaging-close", close)) {
      close.run();
    }
    ClockWait.await(closed, clock, bound.plus(LINK_GRACE));
  }

  private static void step(String what, Runnable step) {
    try {
      step.run();
    } catch (Throwable e) {
      LimitedLog.warn("stop", "a step of the stop failed: " + what, e);
    }
  }

  /** Returns false if there is no thread left for it. */
  private static boolean daemon(String name, Runnable task) {
    try {
      Thread thread = new Thread(task, name);
      thread.setDaemon(true);
      thread.start();
      return true;
    } catch (Throwable e) {
      LimitedLog.warn("stop", "no thread could be started for " + name, e);
      return false;
    }
  }
}
