package dev.mullion.messaging;

import java.time.Duration;

/** A clock for tests: time passes only by {@link #advance}, and timers run inside that call. */
public final class ManualClock implements MessagingClock {

  /** Creates a clock that stands at 1 January 2026, 00:00 UTC. */
  public ManualClock() {}

  /** Lets time pass, and runs the timers that are due, in order, on the calling thread. */
  public void advance(Duration time) {
    throw new UnsupportedOperationException();
  }

  @Override
  public long nanoTime() {
    throw new UnsupportedOperationException();
  }

  @Override
  public long currentTimeMillis() {
    throw new UnsupportedOperationException();
  }

  @Override
  public Timer schedule(Duration delay, Runnable task) {
    throw new UnsupportedOperationException();
  }
}
