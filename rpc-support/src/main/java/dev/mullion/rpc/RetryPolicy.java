package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.base.Check;
import io.grpc.Status;
import java.time.Duration;
import java.util.Collections;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * When a channel retries a failed call, as one immutable value.
 *
 * <pre>{@code
 * RetryPolicy policy = RetryPolicy.builder()
 *     .maxAttempts(4)
 *     .initialBackoff(Duration.ofMillis(50))
 *     .retryOn(Status.Code.UNAVAILABLE, Status.Code.ABORTED)
 *     .build();
 * }</pre>
 *
 * <p>By default there are 3 attempts in all, and retries follow only {@code UNAVAILABLE}. The
 * backoff before the first retry is a random time around 100 ms; it doubles before each further
 * retry, up to 2 seconds. A call is not retried once its reply has begun or its deadline has
 * passed. A server's {@code grpc-retry-pushback-ms} replaces the backoff.
 *
 * <p>Retries are throttled per channel: of 10 tokens a failure takes one, a success returns a
 * tenth, and there are no retries while half of the tokens or fewer are left. So retries do not
 * multiply the load on a server that is down. Sent requests are kept for a retry up to the
 * channel's {@code perRpcBufferLimit}.
 */
public final class RetryPolicy {
  private final int maxAttempts;
  private final Duration initialBackoff;
  private final Duration maxBackoff;
  private final double backoffMultiplier;
  private final Set<Status.Code> codes;
  private final Throttling throttling;

  private RetryPolicy(Builder builder) {
    maxAttempts = builder.maxAttempts;
    initialBackoff = builder.initialBackoff;
    maxBackoff = builder.maxBackoff;
    backoffMultiplier = builder.backoffMultiplier;
    codes = Collections.unmodifiableSet(EnumSet.copyOf(builder.codes));
    throttling = builder.throttling;
  }

  /** Returns the defaults. */
  public static RetryPolicy defaults() {
    return builder().build();
  }

  /** Returns a builder with the default settings. */
  public static Builder builder() {
    return new Builder();
  }

  int maxAttempts() {
    return maxAttempts;
  }

  Throttling throttling() {
    return throttling;
  }

  /** Returns the policy in the form of gRPC's service config. */
  Map<String, Object> config() {
    Map<String, Object> policy = new LinkedHashMap<>();
    policy.put("maxAttempts", (double) maxAttempts);
    policy.put("initialBackoff", seconds(initialBackoff));
    policy.put("maxBackoff", seconds(maxBackoff));
    policy.put("backoffMultiplier", backoffMultiplier);
    policy.put("retryableStatusCodes", codes.stream().map(Enum::name).toList());
    return policy;
  }

  /** gRPC accepts at most 10,000 years. */
  static String seconds(Duration set) {
    Duration duration = Duration.ofNanos(Check.nanos(set));
    return String.format(Locale.ROOT, "%d.%09ds", duration.getSeconds(), duration.getNano());
  }

  /** Names all settings. */
  @Override
  public String toString() {
    return "RetryPolicy[maxAttempts=" + maxAttempts
        + ", initialBackoff=" + initialBackoff
        + ", maxBackoff=" + maxBackoff
        + ", backoffMultiplier=" + backoffMultiplier
        + ", retryOn=" + codes
        + ", " + throttling
        + "]";
  }

  /** Returns non-OK status codes. */
  static Set<Status.Code> failures(String name, Status.Code first, Status.Code... others) {
    Set<Status.Code> codes = EnumSet.of(first, others);
    if (codes.contains(Status.Code.OK)) {
      throw new IllegalArgumentException(name + ": OK (expected: non-OK status codes)");
    }
    return codes;
  }

  /** Collects the settings of a {@link RetryPolicy}. Not safe for use by several threads. */
  public static final class Builder {
    private int maxAttempts = 3;
    private Duration initialBackoff = Duration.ofMillis(100);
    private Duration maxBackoff = Duration.ofSeconds(2);
    private double backoffMultiplier = 2;
    private Set<Status.Code> codes = EnumSet.of(Status.Code.UNAVAILABLE);
    private Throttling throttling = Throttling.DEFAULT;

    private Builder() {}

    /** Sets the number of attempts, including the first, 2 to 100; 3 by default. */
    public Builder maxAttempts(int maxAttempts) {
      this.maxAttempts = Check.within(maxAttempts, 2, 100, "maxAttempts");
      return this;
    }

    /** Sets the backoff before the first retry, plus or minus a fifth; 100 ms by default. */
    public Builder initialBackoff(Duration initialBackoff) {
      this.initialBackoff = Check.positive(initialBackoff, "initialBackoff");
      return this;
    }

    /** Sets the longest backoff, 2 seconds by default. */
    public Builder maxBackoff(Duration maxBackoff) {
      this.maxBackoff = Check.positive(maxBackoff, "maxBackoff");
      return this;
    }

    /** Sets the factor by which each further backoff grows, 1 to 100; 2 by default. */
    public Builder backoffMultiplier(double backoffMultiplier) {
      if (!(backoffMultiplier >= 1 && backoffMultiplier <= 100)) {
        throw new IllegalArgumentException(
            "backoffMultiplier: " + backoffMultiplier + " (expected: 1 to 100)");
      }
      this.backoffMultiplier = backoffMultiplier;
      return this;
    }

    /** Sets the statuses after which a call is retried, {@code UNAVAILABLE} by default. */
    public Builder retryOn(Status.Code first, Status.Code... others) {
      codes = failures("retryOn", first, others);
      return this;
    }

    /**
     * Sets the throttling of retries. Half as many consecutive failures as there are tokens stop
     * retries; with fewer than 3 tokens the first failure would.
     *
     * @param maxTokens the number of tokens, 3 to 1000, 10 by default
     * @param tokenRatio the number of tokens that a success returns, 0.001 to 1000, 0.1 by default
     */
    public Builder throttling(int maxTokens, double tokenRatio) {
      Check.within(maxTokens, 3, Throttling.MOST_TOKENS, "maxTokens");
      this.throttling = new Throttling(maxTokens, tokenRatio);
      return this;
    }

    /**
     * Returns the policy.
     *
     * @throws IllegalStateException if {@code initialBackoff} is longer than {@code maxBackoff}
     */
    public RetryPolicy build() {
      if (requireNonNull(initialBackoff, "initialBackoff").compareTo(maxBackoff) > 0) {
        throw new IllegalStateException(
            "initialBackoff: " + initialBackoff + " (expected: <= maxBackoff: " + maxBackoff + ")");
      }
      return new RetryPolicy(this);
    }
  }
}
