package dev.mullion.messaging;

import dev.mullion.messaging.engine.RawDelivery;
import org.jspecify.annotations.Nullable;

/** What becomes of a message, by the kind of its address. The methods do not throw. */
abstract class Rules<T> {
  private static final int MAX_ERROR_LENGTH = 4096;

  /** Returns the greatest number of deliveries. */
  int maxDeliveries() {
    return 1;
  }

  /** Returns why the handler is not called; null if it is. */
  @Nullable
  Verdict refused(Fetched<T> delivery) {
    return null;
  }

  /** Returns the request that has to be accepted before the handler is called; null if none. */
  RawDelivery.@Nullable Request request(Fetched<T> delivery) {
    return null;
  }

  abstract Verdict undecodable(Fetched<T> delivery, Throwable error);

  Verdict handled(Fetched<T> delivery, @Nullable Object value) {
    return Verdict.ACKNOWLEDGED;
  }

  abstract Verdict failed(Fetched<T> delivery, Throwable error);

  /** Returns what becomes of a message whose handler had to be cut off. */
  abstract Verdict cut(Fetched<T> delivery, Ending ending, Throwable error);

  /** Returns the text of an error, for other processes and for dead letters. */
  static String text(Throwable error) {
    String text;
    try {
      text = error.getMessage();
    } catch (RuntimeException e) { // a user's exception whose own text fails
      text = null;
    }
    if (text == null || text.isEmpty()) {
      text = error.getClass().getName();
    }
    return text.length() <= MAX_ERROR_LENGTH ? text : text.substring(0, MAX_ERROR_LENGTH);
  }
}
