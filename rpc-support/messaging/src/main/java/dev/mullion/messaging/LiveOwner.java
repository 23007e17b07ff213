package dev.mullion.messaging;

/** The topics or the signal to which a {@link LiveSource} belongs. */
interface LiveOwner {
  /** Forgets a source. */
  void removed(LiveSource source);

  /** Takes a message that no handler began. */
  void returned(LiveDelivery message);

  /** Returns whether the source counts a new message that it drops, rather than the sender. */
  boolean countsNewest();
}
