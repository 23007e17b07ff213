package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import io.grpc.Status;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/** What the builders' setters check. */
final class Check {
  private Check() {}

  static String notBlank(String value, String name, String expected) {
    if (requireNonNull(value, name).isBlank()) {
      throw new IllegalArgumentException(name + ": \"" + value + "\" (expected: " + expected + ")");
    }
    return value;
  }

  /** Returns a name or address, if it could be one: the resolvers take what stands before a slash. */
  static String host(String value) {
    notBlank(value, "host", "a name or address");
    boolean colons = value.indexOf(':') >= 0 && !value.matches("\\[?[0-9a-fA-F:.]*:[^\\]/]*]?");
    if (colons || value.chars().anyMatch(each -> each <= ' ' || "/\\?#@".indexOf(each) >= 0)) {
      throw new IllegalArgumentException(
          "host: " + value + " (expected: a name or address, without scheme, port or path)");
    }
    return value;
  }

  static int within(int value, int least, int most, String name) {
    if (value < least || value > most) {
      String expected = most == Integer.MAX_VALUE ? ">= " + least : least + " to " + most;
      throw new IllegalArgumentException(name + ": " + value + " (expected: " + expected + ")");
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

  /** Returns codes of which none is that of success. */
  static Set<Status.Code> failures(String name, Status.Code first, Status.Code... others) {
    Set<Status.Code> codes = EnumSet.of(first, others);
    if (codes.contains(Status.Code.OK)) {
      throw new IllegalArgumentException(name + ": OK (expected: codes of failures)");
    }
    return codes;
  }

  /** Returns nanoseconds; what is longer than 292 years is 292 years. */
  static long nanos(Duration duration) {
    return TimeUnit.NANOSECONDS.convert(duration);
  }

  /** Throws if a setting needs a library that is not there. */
  static void present(String setting, String type, String artifact) {
    try {
      Class.forName(type);
    } catch (ClassNotFoundException absent) {
      throw new IllegalStateException(
          setting + " needs " + artifact + " on the class path", absent);
    }
  }
}
