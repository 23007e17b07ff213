package dev.mullion.messaging;

/** What becomes of messages that arrive. */
enum Admission {
  /** They have to go back at once. */
  RETURNED,
  /** They wait; a runner will take them. */
  KEPT,
  /** They wait; one more runner has been counted, and has to be started. */
  KEPT_FOR_NEW_RUNNER
}
