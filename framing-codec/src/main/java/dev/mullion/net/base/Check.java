package dev.mullion.net.base;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.Tls;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Checks of the builders' setters: the same mistake has the same exception in all modules. */
public final class Check {
  /** An IPv6 address has at least two colons; a name with one colon has a port. */
  private static final String ADDRESS_6 = "\\[?[0-9a-fA-F.]*:[0-9a-fA-F:.]*:[^\\]/]*]?";

  private Check() {}

  /** Returns a text that is not blank; {@code expected} describes a valid one. */
  public static String notBlank(String value, String name, String expected) {
    if (requireNonNull(value, name).isBlank()) {
      throw new IllegalArgumentException(name + ": \"" + value + "\" (expected: " + expected + ")");
    }
    return value;
  }

  /**
   * Returns a host name or address; a slash is rejected, since resolvers ignore what follows it.
   */
  public static String host(String value) {
    notBlank(value, "host", "a name or address");
    boolean colons = value.indexOf(':') >= 0 && !value.matches(ADDRESS_6);
    if (colons || value.chars().anyMatch(each -> each <= ' ' || "/\\?#@".indexOf(each) >= 0)) {
      throw new IllegalArgumentException(
          "host: " + value + " (expected: a name or address, without scheme, port or path)");
    }
    return value;
  }

  /** Returns a number within bounds, both included. */
  public static int within(int value, int least, int most, String name) {
    if (value < least || value > most) {
      String expected = most == Integer.MAX_VALUE ? ">= " + least : least + " to " + most;
      throw new IllegalArgumentException(name + ": " + value + " (expected: " + expected + ")");
    }
    return value;
  }

  /** Returns a number that is not less than another. */
  public static long atLeast(long value, long least, String name) {
    if (value < least) {
      throw new IllegalArgumentException(name + ": " + value + " (expected: >= " + least + ")");
    }
    return value;
  }

  /** Returns a number that is zero or more. */
  public static int notNegative(int value, String name) {
    return (int) atLeast(value, 0, name);
  }

  /** Returns a number that is more than zero. */
  public static int positive(int value, String name) {
    if (value < 1) {
      throw new IllegalArgumentException(name + ": " + value + " (expected: > 0)");
    }
    return value;
  }

  /** Returns a duration that is zero or longer. */
  public static Duration notNegative(Duration value, String name) {
    if (requireNonNull(value, name).isNegative()) {
      throw new IllegalArgumentException(name + ": " + value + " (expected: >= PT0S)");
    }
    return value;
  }

  /** Returns a duration that is longer than zero. */
  public static Duration positive(Duration value, String name) {
    if (requireNonNull(value, name).isNegative() || value.isZero()) {
      throw new IllegalArgumentException(name + ": " + value + " (expected: > PT0S)");
    }
    return value;
  }

  /** Returns a duration that is not shorter than another. */
  public static Duration atLeast(Duration value, Duration least, String name) {
    if (requireNonNull(value, name).compareTo(least) < 0) {
      throw new IllegalArgumentException(name + ": " + value + " (expected: >= " + least + ")");
    }
    return value;
  }

  /** Returns a duration that is zero, which sets no limit, or not shorter than another. */
  public static Duration zeroOrAtLeast(Duration value, Duration least, String name) {
    if (!notNegative(value, name).isZero() && value.compareTo(least) < 0) {
      throw new IllegalArgumentException(
          name + ": " + value + " (expected: PT0S for none, or >= " + least + ")");
    }
    return value;
  }

  /** Returns nanoseconds; durations of more than 292 years count as 292 years. */
  public static long nanos(Duration duration) {
    return TimeUnit.NANOSECONDS.convert(duration);
  }

  /** Returns TLS settings if they are for the expected side. */
  public static Tls tls(Tls tls, boolean forClient) {
    if (requireNonNull(tls, "tls").isForClient() != forClient) {
      throw new IllegalArgumentException(
          "tls: " + side(!forClient) + " settings (expected: " + side(forClient) + " settings)");
    }
    return tls;
  }

  /**
   * Returns the TLS of something that runs.
   *
   * @param running what it is, for the message: server, client or channel
   */
  public static <T> T hasTls(@Nullable T tls, String running) {
    if (tls == null) {
      throw new IllegalStateException(running + " has no TLS (expected: tls set in its builder)");
    }
    return tls;
  }

  private static String side(boolean client) {
    return client ? "client" : "server";
  }

  /** Throws if a setting needs a library that is not visible to the class with the setting. */
  public static void present(
      Class<?> user, String setting, String type, String artifact, String module) {
    try {
      Class.forName(type, false, user.getClassLoader());
    } catch (ClassNotFoundException absent) {
      throw new IllegalStateException(setting + " needs " + artifact + place(module), absent);
    }
  }

  /** Returns where the libraries with these module names must be. */
  public static String place(String modules) {
    return place(modules, Check.class.getModule().isNamed());
  }

  /** A jar on the module path is ignored unless its module is required or added. */
  static String place(String modules, boolean named) {
    return named ? " on the module path, with --add-modules " + modules : " on the class path";
  }
}
