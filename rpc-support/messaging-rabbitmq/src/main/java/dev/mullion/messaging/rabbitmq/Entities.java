package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.engine.Route;

/** The names of what this engine has on the broker. All begin with the prefix and a dot. */
record Entities(String prefix) {
  private static final int MOST = 255;

  /** Returns the topic exchange to which {@code publish} goes. */
  String topics() {
    return prefix + ".topics";
  }

  /** Returns the stream of declarations. */
  String declarations() {
    return prefix + ".declarations";
  }

  String jobs(Route.Queue queue) {
    return prefix + ".queue." + queue.id();
  }

  /** Returns the queue of jobs that were lost with a worker: each is handled alone. */
  String suspects(Route.Queue queue) {
    return prefix + ".suspect." + queue.id();
  }

  String deadLetters(Route.Queue queue) {
    return prefix + ".dead." + queue.id();
  }

  /** Returns the queue in which failed jobs wait for a delay. */
  String delayed(Route.Queue queue, long millis) {
    return prefix + ".delay." + millis + "." + queue.id();
  }

  String subject(String name) {
    return prefix + ".subject." + name;
  }

  String signal(String name) {
    return prefix + ".signal." + name;
  }

  /** Checks that the longest name fits. */
  void check(Route.Queue queue) throws UnsupportedSettingException {
    int length = delayed(queue, Integer.MAX_VALUE).length();
    if (length > MOST) {
      throw new UnsupportedSettingException("name: \"" + queue.id() + "\" makes a name of " + length
          + " characters on the broker (expected: <= " + MOST + "; a shorter name or prefix)");
    }
  }
}
