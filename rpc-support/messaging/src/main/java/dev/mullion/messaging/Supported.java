package dev.mullion.messaging;

import dev.mullion.messaging.Guarantees.Capacity;
import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.Guarantees.Wildcards;
import dev.mullion.messaging.engine.Engine;

/** Compares what is asked with what the engine promises; nothing is emulated. */
final class Supported {
  private final Engine engine;

  Supported(Engine engine) {
    this.engine = engine;
  }

  /** Returns the engine's promises for a pattern. */
  Guarantees row(Pattern pattern) throws UnsupportedSettingException {
    for (Guarantees row : engine.guarantees()) {
      if (row.pattern() == pattern) {
        return row;
      }
    }
    throw new UnsupportedSettingException(engine.name() + " has no " + pattern);
  }

  /** Checks a queue or group. */
  Guarantees queue(WorkQueue<?> queue) throws UnsupportedSettingException {
    Guarantees row = row(Pattern.PUSH_PULL);
    if (queue.ordered() && !row.orderedQueues()) {
      throw unsupported("ordered: true", "false", "queue " + queue, "orderedQueues");
    }
    if (queue.capacity() > 0 || queue.capacityBytes() > 0) {
      if (row.capacity() == Capacity.NONE) {
        throw unsupported(
            queue.capacity() > 0
                ? "capacity: " + queue.capacity()
                : "capacityBytes: " + queue.capacityBytes(),
            "0",
            "queue " + queue,
            "capacity");
      }
      overflow(row, queue.overflow(), "queue " + queue);
    }
    if (queue.source().isPresent()) {
      wildcards(row, queue.source().get().name(), "group " + queue);
    }
    return row;
  }

  /** Checks a topic or pattern and its subscriber's policy. */
  void topic(Topic<?> topic, Overflow overflow) throws UnsupportedSettingException {
    Guarantees row = row(Pattern.PUBLISH_SUBSCRIBE);
    wildcards(row, topic.name(), "topic " + topic.name());
    overflow(row, overflow, "topic " + topic.name());
  }

  /** Checks the policy of a signal's receiver. */
  void signal(Signal<?> signal, Overflow overflow) throws UnsupportedSettingException {
    overflow(row(Pattern.FIRE_AND_FORGET), overflow, "signal " + signal.name());
  }

  private void overflow(Guarantees row, Overflow overflow, String where)
      throws UnsupportedSettingException {
    if (!row.overflows().contains(overflow)) {
      throw unsupported("overflow: " + overflow, "one of " + row.overflows(), where, "overflows");
    }
  }

  private void wildcards(Guarantees row, String topic, String where)
      throws UnsupportedSettingException {
    int first = topic.indexOf('*') < 0 ? topic.indexOf('#') : topic.indexOf('*');
    if (first < 0) {
      return;
    }
    if (row.wildcards() == Wildcards.NONE) {
      throw unsupported("name: \"" + topic + "\"", "no pattern", where, "wildcards");
    }
    if (first == 0 && row.wildcards() == Wildcards.NOT_FIRST_WORD) {
      throw unsupported(
          "name: \"" + topic + "\"", "a first word that is no wildcard", where, "wildcards");
    }
  }

  private UnsupportedSettingException unsupported(
      String seen, String expected, String where, String field) {
    return new UnsupportedSettingException(seen + " (expected: " + expected + "; " + where
        + ", engine " + engine.name() + ", see Guarantees." + field + ")");
  }
}
