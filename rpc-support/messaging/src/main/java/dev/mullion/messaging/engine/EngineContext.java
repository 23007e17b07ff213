package dev.mullion.messaging.engine;

import java.time.Duration;
import java.util.concurrent.Executor;

/**
 * What {@code Messaging} gives an engine that it opens.
 *
 * @param events receives replies and events of the connection
 * @param callbacks runs continuations and events that may lead to user code; an engine never runs
 *     them on its own threads or under its locks
 * @param maxPending the number of sends without an answer that {@code Messaging} allows
 * @param sendTimeout how long a send may wait for room in a bounded queue
 * @param sendersWait whether an engine in the same process may hold up a thread that sends for some
 *     milliseconds, outside of handlers, if that spares the send a longer way
 */
public record EngineContext(
    EngineEvents events,
    Executor callbacks,
    int maxPending,
    Duration sendTimeout,
    boolean sendersWait) {

  /** Creates a context for senders that are never held up. */
  public EngineContext(
      EngineEvents events, Executor callbacks, int maxPending, Duration sendTimeout) {
    this(events, callbacks, maxPending, sendTimeout, false);
  }
}
