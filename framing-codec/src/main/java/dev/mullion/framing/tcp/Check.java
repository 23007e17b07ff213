package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import java.time.Duration;

/** What the builders' setters check. */
final class Check {
  private Check() {}

  static String host(String host) {
    if (requireNonNull(host, "host").isBlank()) {
      throw new IllegalArgumentException("host: \"" + host + "\" (expected: a name or address)");
    }
    return host;
  }

  static int within(int value, int least, int most, String name) {
    if (value < least || value > most) {
      String expected = most == Integer.MAX_VALUE ? ">= " + least : least + " to " + most;
      throw new IllegalArgumentException(name + ": " + value + " (expected: " + expected + ")");
    }
    return value;
  }

  static long atLeast(long value, long least, String name) {
    if (value < least) {
      throw new IllegalArgumentException(name + ": " + value + " (expected: >= " + least + ")");
    }
    return value;
  }

  static Duration notNegative(Duration value, String name) {
    if (requireNonNull(value, name).isNegative()) {
      throw new IllegalArgumentException(name + ": " + value + " (expected: >= PT0S)");
    }
    return value;
  }

  static Duration positive(Duration value, String name) {
    if (requireNonNull(value, name).isNegative() || value.isZero()) {
      throw new IllegalArgumentException(name + ": " + value + " (expected: > PT0S)");
    }
    return value;
  }
}
