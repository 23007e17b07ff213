package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import java.time.Duration;

/** Checks of arguments: each error has the value, what is allowed and the setting's name. */
final class Arguments {
  private Arguments() {}

  static long atLeast(long value, long least, String name) {
    if (value < least) {
      throw new IllegalArgumentException(name + ": " + value + " (expected: >= " + least + ")");
    }
    return value;
  }

  static int within(int value, int least, int most, String name) {
    if (value < least || value > most) {
      throw new IllegalArgumentException(
          name + ": " + value + " (expected: " + least + " to " + most + ")");
    }
    return value;
  }

  static Duration positive(Duration value, String name) {
    if (requireNonNull(value, name).isNegative() || value.isZero()) {
      throw new IllegalArgumentException(name + ": " + value + " (expected: > 0)");
    }
    return value;
  }

  static Duration notNegative(Duration value, String name) {
    if (requireNonNull(value, name).isNegative()) {
      throw new IllegalArgumentException(name + ": " + value + " (expected: >= 0)");
    }
    return value;
  }
}
