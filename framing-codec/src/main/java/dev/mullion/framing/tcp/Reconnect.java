package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * When a client that has lost its connection connects again: after delays that grow from attempt to
 * attempt, and of which a share is random, so that the clients of a server that comes back do not
 * all come at once. Attempts are counted from the last connection that lasted for {@link
 * Builder#resetAfter}.
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

  /** Returns the setting of a client that never connects again. */
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

  /**
   * Returns whether a connection that was open for so long makes the attempts before it forgotten.
   */
  boolean forgetsAfter(long nanos) {
    return nanos >= nanos(resetAfter);
  }

  /** Returns whether an attempt may be made; the first after a connection was lost is 1. */
  boolean allows(int attempt) {
    return !off && (maxAttempts == 0 || attempt <= maxAttempts);
  }

  /** Returns how long to wait before an attempt, given a random number from 0 to 1. */
  long delayNanos(int attempt, double random01) {
    // As double, since what overflows becomes infinite there, and is then cut to maxDelay.
    double longest = (double) nanos(firstDelay) * Math.pow(multiplier, attempt - 1.0);
    double delay = Math.min(longest, (double) nanos(maxDelay));
    return (long) (delay * (1 - jitter * (1 - random01)));
  }

  /** Unlike {@link Duration#toNanos}, it takes a duration that no {@code long} can hold. */
  private static long nanos(Duration duration) {
    return TimeUnit.NANOSECONDS.convert(duration);
  }

  /** Names the settings. */
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

  /** Takes the settings. */
  public static final class Builder {
    private Duration firstDelay = Duration.ofMillis(100);
    private Duration maxDelay = Duration.ofSeconds(30);
    private double multiplier = 2.0;
    private double jitter = 0.5;
    private int maxAttempts;
    private Duration resetAfter = Duration.ofSeconds(5);

    private Builder() {}

    /** Sets the longest delay before the first attempt, 100 milliseconds by default. */
    public Builder firstDelay(Duration firstDelay) {
      this.firstDelay = positive(firstDelay, "firstDelay");
      return this;
    }

    /** Sets the longest delay of all, 30 seconds by default. */
    public Builder maxDelay(Duration maxDelay) {
      this.maxDelay = positive(maxDelay, "maxDelay");
      return this;
    }

    /** Sets how many times longer a delay is than the one before, 2 by default. */
    public Builder multiplier(double multiplier) {
      // So written, it refuses NaN too.
      if (!(multiplier >= 1 && multiplier <= Double.MAX_VALUE)) {
        throw new IllegalArgumentException(
            "multiplier: " + multiplier + " (expected: >= 1.0 and finite)");
      }
      this.multiplier = multiplier;
      return this;
    }

    /** Sets the share of each delay that is random, from 0 (none) to 1 (all), 0.5 by default. */
    public Builder jitter(double jitter) {
      if (!(jitter >= 0 && jitter <= 1)) {
        throw new IllegalArgumentException("jitter: " + jitter + " (expected: 0.0 to 1.0)");
      }
      this.jitter = jitter;
      return this;
    }

    /**
     * Sets how many attempts may be made in a row before the client gives up; 0, the default, is no
     * limit. One that connects ends the row only if its connection lasts for {@link #resetAfter}.
     */
    public Builder maxAttempts(int maxAttempts) {
      if (maxAttempts < 0) {
        throw new IllegalArgumentException("maxAttempts: " + maxAttempts + " (expected: >= 0)");
      }
      this.maxAttempts = maxAttempts;
      return this;
    }

    /**
     * Sets how long a connection must have been open, until its peer ended it or it was lost, for
     * the attempts before it to be forgotten: 5 seconds by default. After a shorter one the delays
     * go on growing and {@code maxAttempts} goes on counting, so that a server that accepts
     * connections and closes them at once is not called again and again.
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
