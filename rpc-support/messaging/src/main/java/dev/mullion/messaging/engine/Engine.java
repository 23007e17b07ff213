package dev.mullion.messaging.engine;

import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.MessagingClock;
import dev.mullion.messaging.MessagingException;
import java.util.List;

/**
 * What carries messages: an immutable description, made by a builder. An engine transports bytes,
 * hands out deliveries against credit, and applies outcomes. {@code Messaging} does everything
 * else, in the same way on every engine: codecs, handlers and their threads, timeouts, the count of
 * deliveries, correlation, counters and the graceful stop.
 *
 * <pre>{@code
 *  Messaging          codecs, handler threads, timeouts, redelivery, counters
 *  ------------------------------------------------------------------------------
 *  EngineLink         send, request, consume        one for each Messaging
 *    Source           request(n), cancel, close     one for each subscription
 *  Sink               deliver, dropped, failed      implemented by Messaging
 *    RawDelivery      begin, settle                 one for each message handed out
 * }</pre>
 */
public interface Engine {

  /** Returns the engine's name for error messages and meters, such as {@code kafka}. */
  String name();

  /**
   * Returns what this engine promises: one row for each pattern that it has, as it is configured.
   */
  List<Guarantees> guarantees();

  /**
   * Returns the promises for one pattern.
   *
   * @throws UnsupportedOperationException if this engine does not have the pattern
   */
  default Guarantees guarantees(Pattern pattern) {
    return guarantees().stream()
        .filter(each -> each.pattern() == pattern)
        .findFirst()
        .orElseThrow(() -> new UnsupportedOperationException(name() + " has no " + pattern));
  }

  /** Returns the clock by which this engine, and each {@code Messaging} on it, measures time. */
  default MessagingClock clock() {
    return MessagingClock.system();
  }

  /**
   * Connects. Each {@code Messaging} calls this once, and closes the link. The call may block, for
   * at most the engine's own connect timeout.
   *
   * @throws MessagingException if the engine cannot be reached or does not start
   */
  EngineLink open(EngineContext context) throws MessagingException;
}
