package dev.mullion.messaging;

/** What happens to a message for which a bounded buffer has no room. What is dropped is counted. */
public enum Overflow {
  /** The sender waits for up to {@code sendTimeout}, then fails as with {@link #FAIL}. */
  BLOCK,
  /** The send fails at once with {@link QueueFullException}. */
  FAIL,
  /** The oldest waiting message is dropped. */
  DROP_OLDEST,
  /** The new message is dropped. */
  DROP_NEWEST
}
