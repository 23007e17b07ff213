package dev.mullion.messaging;

/** What becomes of a message that arrives. */
enum Admission {
  /** It has to go back at once. */
  RETURNED,
  /** It waits; a runner will take it. */
  KEPT,
  /** It waits; one more runner has been counted, and has to be started. */
  KEPT_FOR_NEW_RUNNER
}
