package dev.mullion.messaging.kafka;

/**
 * What has been tried with a message of an ordered queue.
 *
 * @param failures how many deliveries failed
 * @param losses how many ended with their process
 * @param out whether it is handed out, so whether a death now is a loss
 * @param due when it may be delivered, in milliseconds since 1970; 0 for at once
 */
record Tries(int failures, int losses, boolean out, long due) {
  static final Tries NONE = new Tries(0, 0, false, 0);

  Tries handedOut() {
    return new Tries(failures, losses, true, 0);
  }

  Tries givenBack() {
    return new Tries(failures, losses, false, 0);
  }

  Tries failed(long due) {
    return new Tries(failures + 1, losses, false, due);
  }

  Tries lost() {
    return new Tries(failures, losses + 1, false, 0);
  }
}
