package dev.mullion.messaging;

import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Sends messages: those that wait for the engine's answer, within limits, and those that do not.
 */
final class Sends {
  private final EngineLink link;
  private final Declared declared;
  private final PendingLimits limits;
  private final Duration sendTimeout;
  private final Answers answers;
  private final SendCounts counts;
  private final ListenerCalls listener;

  Sends(
      EngineLink link,
      Declared declared,
      PendingLimits limits,
      Duration sendTimeout,
      Answers answers,
      SendCounts counts,
      ListenerCalls listener) {
    this.link = link;
    this.declared = declared;
    this.limits = limits;
    this.sendTimeout = sendTimeout;
    this.answers = answers;
    this.counts = counts;
    this.listener = listener;
  }

  /** Sends to a topic or queue; what goes wrong is in the future. */
  CompletableFuture<@Nullable Void> send(
      Route route, Message<byte[]> message, Caller from, Executor continuations) {
    int bytes = message.payload().length;
    try {
      CompletionStage<@Nullable Void> stage =
          limits.areIdle(bytes) && declared.isRecent(route) ? link.sendNow(route, message) : null;
      if (stage != null) {
        return sentNow(route, bytes, stage, continuations);
      }
    } catch (Throwable e) { // the engine may have the message
      return failed(e);
    }
    counts.sent.increment();
    try {
      limits.take(bytes, sendTimeout, "sendTimeout", from);
    } catch (Throwable e) {
      return refused(e);
    }
    CompletionStage<@Nullable Void> stage;
    try {
      declared.prepare(route);
      stage = link.send(route, message);
    } catch (Throwable e) {
      ended(route, bytes, e);
      return CompletableFuture.failedFuture(e);
    }
    if (isComplete(stage)) { // what embedded engines return: no more than this is made of it
      ended(route, bytes, null);
      return CompletableFuture.completedFuture(null);
    }
    return answers.ask(() -> stage, error -> ended(route, bytes, error), continuations);
  }

  /** Counts a send that was made past the limits, since nothing else was under way. */
  private CompletableFuture<@Nullable Void> sentNow(
      Route route, int bytes, CompletionStage<@Nullable Void> stage, Executor continuations) {
    if (isComplete(stage)) {
      counts.sentNow.increment();
      return CompletableFuture.completedFuture(null);
    }
    counts.sent.increment();
    limits.add(bytes);
    return answers.ask(() -> stage, error -> ended(route, bytes, error), continuations);
  }

  /**
   * Those of the embedded engine, or the class itself: others, such as the JDK's minimal stages,
   * throw when they are asked.
   */
  private static boolean isComplete(@Nullable CompletionStage<@Nullable Void> stage) {
    return stage == Parcel.DONE
        || (stage != null
            && stage.getClass() == CompletableFuture.class
            && ((CompletableFuture<?>) stage).isDone()
            && !((CompletableFuture<?>) stage).isCompletedExceptionally());
  }

  private void ended(Route route, int bytes, @Nullable Throwable error) {
    limits.release(bytes);
    if (error == null) {
      counts.accepted.increment();
      return;
    }
    counts.failed.increment();
    declared.failed(route, error);
  }

  /** Counts a message that could not be encoded. */
  <T extends @Nullable Object> CompletableFuture<T> failed(Throwable error) {
    counts.sent.increment();
    return refused(error);
  }

  /** Counts a message that failed before the engine had it. */
  <T extends @Nullable Object> CompletableFuture<T> refused(Throwable error) {
    counts.failed.increment();
    return CompletableFuture.failedFuture(error);
  }

  /** Sends a signal; nothing here waits, and nothing is declared. */
  boolean trySend(Route.Signal signal, Message<byte[]> message) {
    boolean sent = false;
    try {
      sent = link.trySend(signal, message);
    } catch (Throwable e) {
      LimitedLog.warn("trySend", "the engine failed in trySend (signal " + signal.name() + ")", e);
    }
    if (sent) {
      counts.accepted.increment();
    } else {
      counts.dropped.increment();
      listener.dropped(signal.name(), Overflow.DROP_NEWEST, 1);
    }
    return sent;
  }
}
