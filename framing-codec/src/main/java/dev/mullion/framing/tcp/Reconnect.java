package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * The reconnect policy of a client: delays that grow from attempt to attempt, with a random share
 * so that the clients of a returning server do not all connect at once. Attempts are counted from
 * the last connection that lasted for {@link Builder#resetAfter}.
 *
 * <pre>{@code
 *  firstDelay = 100 ms, multiplier = 2, jitter = 0.5
 *
 *  -------------------------------------------------------------------
 *  attempt      1          2          3           ...  maxDelay
 *  delay, ms    50..100    100..200   200..400         15,000..30,000
 * }</pre>
 */
public final class Reconnect {
  private static final Reconnect OFF = new Reconnect(builder(), true);

  private final boolean off;
  private final Duration firstDelay;
  private final Duration maxDelay;
  private final double multiplier;
  private final double jitter;
  private final int maxAttempts;
  private final Duration resetAfter;

  private Reconnect(Builder settings, boolean off) {
    this.off = off;
    firstDelay = settings.firstDelay;
    maxDelay = settings.maxDelay;
    multiplier = settings.multiplier;
    jitter = settings.jitter;
    maxAttempts = settings.maxAttempts;
    resetAfter = settings.resetAfter;
  }

  /** Returns the policy of a client that never reconnects. */
  public static Reconnect off() {
    return OFF;
  }

  /** Returns a builder that holds the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  boolean isOff() {
    return off;
  }

  Duration resetAfter() {
    return resetAfter;
  }

  /** Returns whether a connection that was open for this long resets the attempts. */
  boolean forgetsAfter(long nanos) {
    return nanos >= nanos(resetAfter);
  }

  /** Returns whether an attempt may be made; the first after a connection was lost is 1. */
  boolean allows(int attempt) {
    return !off && (maxAttempts == 0 || attempt <= maxAttempts);
  }

  /** Returns the delay before an attempt, given a random number from 0 to 1. */
  long delayNanos(int attempt, double random01) {
    // A double overflows to infinity, which is then limited to maxDelay.
    double longest = (double) nanos(firstDelay) * Math.pow(multiplier, attempt - 1.0);
    double delay = Math.min(longest, (double) nanos(maxDelay));
    return (long) (delay * (1 - jitter * (1 - random01)));
  }

  /** Unlike {@link Duration#toNanos}, it accepts a duration that does not fit a {@code long}. */
  private static long nanos(Duration duration) {
    return TimeUnit.NANOSECONDS.convert(duration);
  }

  /** Returns the settings as text. */
  @Override
  public String toString() {
    return off
        ? "Reconnect[off]"
        : "Reconnect[firstDelay=" + firstDelay
            + ", maxDelay=" + maxDelay
            + ", multiplier=" + multiplier
            + ", jitter=" + jitter
            + ", maxAttempts=" + maxAttempts
            + ", resetAfter=" + resetAfter
            + "]";
  }

  /** Collects the settings. */
  public static final class Builder {
    private Duration firstDelay = Duration.ofMillis(100);
    private Duration maxDelay = Duration.ofSeconds(30);
    private double multiplier = 2.0;
    private double jitter = 0.5;
    private int maxAttempts;
    private Duration resetAfter = Duration.ofSeconds(5);

    private Builder() {}

    /** Sets the maximum delay before the first attempt, 100 milliseconds by default. */
    public Builder firstDelay(Duration firstDelay) {
      this.firstDelay = positive(firstDelay, "firstDelay");
      return this;
    }

    /** Sets the maximum of all delays, 30 seconds by default. */
    public Builder maxDelay(Duration maxDelay) {
      this.maxDelay = positive(maxDelay, "maxDelay");
      return this;
    }

    /** Sets the factor between one delay and the next, 2 by default. */
    public Builder multiplier(double multiplier) {
      // In this form it rejects NaN too.
      if (!(multiplier >= 1 && multiplier <= Double.MAX_VALUE)) {
        throw new IllegalArgumentException(
            "multiplier: " + multiplier + " (expected: >= 1.0 and finite)");
      }
      this.multiplier = multiplier;
      return this;
    }

    /** Sets the random share of each delay, from 0 (none) to 1 (all), 0.5 by default. */
    public Builder jitter(double jitter) {
      if (!(jitter >= 0 && jitter <= 1)) {
        throw new IllegalArgumentException("jitter: " + jitter + " (expected: 0.0 to 1.0)");
      }
      this.jitter = jitter;
      return this;
    }

    /**
     * Sets how many attempts in a row the client makes before it gives up; 0, the default, sets no
     * limit. A successful attempt ends the row only if its connection lasts for {@link
     * #resetAfter}.
     */
    public Builder maxAttempts(int maxAttempts) {
      if (maxAttempts < 0) {
        throw new IllegalArgumentException("maxAttempts: " + maxAttempts + " (expected: >= 0)");
      }
      this.maxAttempts = maxAttempts;
      return this;
    }

    /**
     * Sets how long a connection must stay open to reset the attempts before it, 5 seconds by
     * default. After a shorter connection the delays keep growing and {@code maxAttempts} keeps
     * counting, so a server that closes each accepted connection is not called without delay.
     */
    public Builder resetAfter(Duration resetAfter) {
      this.resetAfter = positive(resetAfter, "resetAfter");
      return this;
    }

    /**
     * Returns the settings.
     *
     * @throws IllegalStateException if {@code maxDelay} is shorter than {@code firstDelay}
     */
    public Reconnect build() {
      if (maxDelay.compareTo(firstDelay) < 0) {
        throw new IllegalStateException("maxDelay: " + maxDelay + " is shorter than firstDelay: "
            + firstDelay + " (expected: >= " + firstDelay + ")");
      }
      return new Reconnect(this, false);
    }

    private static Duration positive(Duration value, String name) {
      if (requireNonNull(value, name).compareTo(Duration.ZERO) <= 0) {
        throw new IllegalArgumentException(name + ": " + value + " (expected: > PT0S)");
      }
      return value;
    }
  }
}
