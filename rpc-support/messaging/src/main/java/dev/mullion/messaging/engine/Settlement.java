package dev.mullion.messaging.engine;

/** What became of an {@link Outcome}. */
public enum Settlement {
  /** The engine applied it. */
  APPLIED,
  /** The message had been taken back; another consumer has it, or will. */
  LEASE_LOST,
  /** The connection was lost before the engine answered; the message may come again. */
  UNKNOWN
}
