package dev.mullion.messaging;

/** Who may still send and subscribe: all, then only handlers under way, then nobody. */
final class Intake {
  private volatile Phase phase = Phase.OPEN;

  private enum Phase {
    OPEN,
    HANDLERS_ONLY,
    CLOSED
  }

  static IllegalStateException closed() {
    return new IllegalStateException("messaging is closed");
  }

  /** Checks a send. */
  Caller check() {
    Caller from = Caller.current();
    Phase now = phase;
    if (now != Phase.OPEN && (now == Phase.CLOSED || from == Caller.OUTSIDE)) {
      throw closed();
    }
    return from;
  }

  /** Checks what no handler needs during a stop: new subscriptions and declarations. */
  void checkOpen() {
    if (phase != Phase.OPEN) {
      throw closed();
    }
  }

  void handlersOnly() {
    phase = Phase.HANDLERS_ONLY;
  }

  void close() {
    phase = Phase.CLOSED;
  }
}
