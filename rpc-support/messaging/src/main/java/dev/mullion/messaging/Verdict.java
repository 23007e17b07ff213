package dev.mullion.messaging;

import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Reply;
import org.jspecify.annotations.Nullable;

/**
 * What is to be done about a delivery that ended: either an outcome or a reply is passed to the
 * engine.
 *
 * @param ending the counter
 * @param outcome the outcome; null for a request that was accepted
 * @param reply the reply to that request; null otherwise
 * @param error what the listener is told as the handler's failure; null if it is not
 */
record Verdict(
    Ending ending,
    @Nullable Outcome outcome,
    @Nullable Reply reply,
    @Nullable Throwable error) {

  private static final Outcome.GiveBack UNCOUNTED = new Outcome.GiveBack(false);

  /** The handler succeeded. */
  static final Verdict ACKNOWLEDGED = of(Ending.ACKNOWLEDGED, new Outcome.Acknowledge(), null);

  /** The message was fetched, and its handler was not called. */
  static final Verdict UNSTARTED = of(Ending.GIVEN_BACK, UNCOUNTED, null);

  static Verdict of(Ending ending, Outcome outcome, @Nullable Throwable error) {
    return new Verdict(ending, outcome, null, error);
  }

  static Verdict of(Ending ending, Reply reply, @Nullable Throwable error) {
    return new Verdict(ending, null, reply, error);
  }
}
