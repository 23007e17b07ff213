package dev.mullion.messaging;

/** What is to be done after a change of the inbox, once its lock is free. */
class Effects {
  /** The deliveries to ask the engine for. */
  int credit;

  /** The deliveries to ask it for of what waits already. */
  int poll;

  /** Whether one more runner has been counted, and has to be started. */
  boolean start;

  /** Whether the right to handle a message alone has to be released. */
  boolean aloneEnded;

  /** Whether a call ended. */
  boolean ended;

  /** Whether a call ended in a subscription that stops. */
  boolean endedInStop;

  void clear() {
    credit = 0;
    poll = 0;
    start = false;
    aloneEnded = false;
    ended = false;
    endedInStop = false;
  }
}
