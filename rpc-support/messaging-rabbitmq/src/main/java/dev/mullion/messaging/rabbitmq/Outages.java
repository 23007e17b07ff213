package dev.mullion.messaging.rabbitmq;

import java.io.IOException;
import java.time.Duration;

/** Since when a link has had no session, why, and how many sessions in a row were short. */
final class Outages {
  private final long shortNanos;

  /** These are guarded by this. */
  private long lostAt = System.nanoTime();

  private long openedAt = System.nanoTime();
  private int shortSessions;
  private Throwable why = new IOException("not connected yet");

  Outages(Duration shortSession) {
    this.shortNanos = Publisher.nanos(shortSession);
  }

  synchronized void opened() {
    openedAt = System.nanoTime();
  }

  synchronized void lost() {
    lostAt = System.nanoTime();
    shortSessions = lostAt - openedAt < shortNanos ? shortSessions + 1 : 0;
  }

  synchronized void because(Throwable cause) {
    why = cause;
  }

  synchronized Throwable why() {
    return why;
  }

  synchronized int shortSessions() {
    return shortSessions;
  }

  /** Returns the time since the last loss. */
  synchronized Duration time() {
    return Duration.ofNanos(System.nanoTime() - lostAt);
  }
}
