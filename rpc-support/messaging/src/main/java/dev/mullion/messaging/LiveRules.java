package dev.mullion.messaging;

import dev.mullion.messaging.engine.HandlerLostException;
import dev.mullion.messaging.engine.Outcome;

/** Topics and signals: at most once, so a failure is counted and told, and the message is gone. */
final class LiveRules<T> extends Rules<T> {
  private static final Outcome GONE = new Outcome.Acknowledge();

  @Override
  Verdict undecodable(Fetched<T> delivery, Throwable error) {
    return Verdict.of(Ending.UNDECODABLE, GONE, error);
  }

  @Override
  Verdict failed(Fetched<T> delivery, Throwable error) {
    if (error instanceof RejectedMessageException) {
      return Verdict.of(Ending.REJECTED, GONE, error);
    }
    if (error instanceof UndecodableMessageException) {
      return undecodable(delivery, error);
    }
    if (error instanceof HandlerLostException lost && !lost.begun()) {
      return Verdict.UNSTARTED;
    }
    return Verdict.of(Ending.FAILED, GONE, error);
  }

  @Override
  Verdict cut(Fetched<T> delivery, Ending ending, Throwable error) {
    return Verdict.of(ending, GONE, error);
  }
}
