package dev.mullion.messaging.rabbitmq;

import static java.util.Objects.requireNonNull;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.regex.Pattern;

/** Checks what a user sets; the texts have the value, and what is expected. */
final class Checks {
  private static final Pattern PREFIX = Pattern.compile("[a-zA-Z0-9-]{1,40}");
  private static final int SHORT = 255; // the longest short string of AMQP
  private static final Duration MOST_HEARTBEAT = Duration.ofSeconds(65_535); // AMQP's

  private Checks() {}

  static Duration duration(Duration value, String name) {
    if (requireNonNull(value, name).compareTo(Duration.ofMillis(1)) < 0) {
      throw new IllegalArgumentException(name + ": " + value + " (expected: >= 1 ms)");
    }
    return value;
  }

  static Duration heartbeat(Duration value) {
    if (requireNonNull(value, "heartbeat").compareTo(Duration.ofSeconds(1)) < 0
        || value.compareTo(MOST_HEARTBEAT) > 0) {
      throw new IllegalArgumentException("heartbeat: " + value + " (expected: 1 s to 65535 s)");
    }
    return value;
  }

  static String shortText(String value, String name) {
    int bytes = requireNonNull(value, name).getBytes(StandardCharsets.UTF_8).length;
    if (bytes > SHORT) {
      throw new IllegalArgumentException(
          name + ": " + bytes + " bytes (expected: at most " + SHORT + ")");
    }
    return value;
  }

  /** Checks a prefix; the broker keeps what begins with {@code amq.} for itself. */
  static String prefix(String value) {
    if (!PREFIX.matcher(requireNonNull(value, "prefix")).matches() || value.equals("amq")) {
      throw new IllegalArgumentException("prefix: \"" + value
          + "\" (expected: 1 to 40 characters of a-z, A-Z, 0-9 and -, and not amq)");
    }
    return value;
  }
}
