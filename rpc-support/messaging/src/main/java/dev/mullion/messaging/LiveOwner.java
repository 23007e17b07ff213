package dev.mullion.messaging;

/** The topics or the signal to which a {@link LiveSource} belongs. */
interface LiveOwner {
  /** Forgets a source. */
  void removed(LiveSource source);

  /** Takes a message that no handler began. */
  void returned(LiveDelivery message);

  /** Returns whether a message that a source does not take may go to another source. */
  boolean passesOn();
}
