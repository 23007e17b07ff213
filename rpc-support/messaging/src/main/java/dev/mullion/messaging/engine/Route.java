package dev.mullion.messaging.engine;

import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.Redelivery;
import java.time.Duration;
import java.util.Optional;

/** An address as engines see it, without the type of its payload. */
public sealed interface Route {

  /** Returns the address's name. */
  String name();

  /**
   * A topic, or a pattern of topics.
   *
   * @param name words separated by dots; a pattern contains {@code *}, or ends with {@code #}
   */
  record Topic(String name) implements Route {
    /** Returns whether this is a pattern. */
    public boolean isPattern() {
      return name.indexOf('*') >= 0 || name.indexOf('#') >= 0;
    }
  }

  /**
   * A work queue, or a group of a topic.
   *
   * @param name the queue's name, or the group's
   * @param source the topic or pattern that feeds the group; empty for a queue
   * @param redelivery how often and how soon a failed message is delivered again
   * @param handlerTimeout how long a handler may take
   * @param ordered whether messages of one key are handled one at a time, in order
   * @param capacity the greatest number of waiting messages; 0 for no bound
   * @param capacityBytes the greatest number of waiting payload bytes; 0 for no bound
   * @param overflow what happens to a message for which there is no room
   * @param maxDeadLetters the greatest number of dead letters; the oldest are dropped and counted
   * @param deadLetterAge dead letters older than this are dropped and counted
   */
  record Queue(
      String name,
      Optional<String> source,
      Redelivery redelivery,
      Duration handlerTimeout,
      boolean ordered,
      long capacity,
      long capacityBytes,
      Overflow overflow,
      int maxDeadLetters,
      Duration deadLetterAge)
      implements Route {

    /**
     * Returns what identifies this queue: its name, or for a group the first word of its source, a
     * slash and its name. So groups of different topics never collide with each other or a queue.
     */
    public String id() {
      return id(name, source);
    }

    /** Returns the {@link #id()} of the queue, or group of a topic, with this name. */
    public static String id(String name, Optional<String> source) {
      return source.map(topic -> firstWord(topic) + '/' + name).orElse(name);
    }

    private static String firstWord(String topic) {
      int dot = topic.indexOf('.');
      return dot < 0 ? topic : topic.substring(0, dot);
    }
  }

  /** An address of request-reply. */
  record Subject(String name) implements Route {}

  /** An address of fire-and-forget. */
  record Signal(String name) implements Route {}
}
