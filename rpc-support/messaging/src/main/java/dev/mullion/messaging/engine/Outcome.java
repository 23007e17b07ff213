package dev.mullion.messaging.engine;

import dev.mullion.messaging.DeadLetter;
import java.time.Duration;

/** What becomes of a delivery. */
public sealed interface Outcome {

  /** Handled: the message is gone. */
  record Acknowledge() implements Outcome {}

  /**
   * Failed, and counted as a failure: delivered again after the delay, which holds back no other
   * message.
   *
   * @param error the text of the failure
   */
  record Redeliver(Duration delay, String error) implements Outcome {}

  /**
   * Not handled: delivered again at once, to any consumer.
   *
   * @param counted false if the handler did not begin: not counted, where the engine can; true if
   *     the handler's process was lost: counted as a loss
   */
  record GiveBack(boolean counted) implements Outcome {}

  /** Not handled for good: becomes a dead letter. */
  record Bury(DeadLetter.Reason reason, String error) implements Outcome {}
}
