package dev.mullion.rpc;

import dev.mullion.net.base.Check;
import io.grpc.Status;
import java.time.Duration;
import java.util.Collections;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * When a channel makes a call once more before it knows how the first attempt ends, as one
 * immutable value. The first good reply counts, and the other attempts are cancelled. It makes the
 * slowest calls faster, and is for methods only that may be run several times.
 *
 * <pre>{@code
 * HedgingPolicy hedging = HedgingPolicy.builder()
 *     .maxAttempts(3)
 *     .hedgingDelay(Duration.ofMillis(30))
 *     .nonFatalStatusCodes(Status.Code.UNAVAILABLE, Status.Code.RESOURCE_EXHAUSTED)
 *     .build();
 * }</pre>
 *
 * <p>By default there are 2 attempts in all, the second after 100 ms. An attempt that ends with
 * {@code UNAVAILABLE} before leaves the call to the next one; any other failure ends the call. The
 * delay should be what most calls are faster than. A server's {@code grpc-retry-pushback-ms} takes
 * its place.
 *
 * <p>Attempts are throttled per channel, as those of a {@link RetryPolicy} are: of 10 tokens a
 * failure takes one, a success gives a tenth back, and there are only first attempts while half of
 * them or fewer are left.
 */
public final class HedgingPolicy {
  private final int maxAttempts;
  private final Duration hedgingDelay;
  private final Set<Status.Code> codes;
  private final Throttling throttling;

  private HedgingPolicy(Builder builder) {
    maxAttempts = builder.maxAttempts;
    hedgingDelay = builder.hedgingDelay;
    codes = Collections.unmodifiableSet(EnumSet.copyOf(builder.codes));
    throttling = builder.throttling;
  }

  /** Returns the defaults. */
  public static HedgingPolicy defaults() {
    return builder().build();
  }

  /** Returns a builder that holds the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  int maxAttempts() {
    return maxAttempts;
  }

  Throttling throttling() {
    return throttling;
  }

  /** Returns it as gRPC's service config has it. */
  Map<String, Object> config() {
    Map<String, Object> policy = new LinkedHashMap<>();
    policy.put("maxAttempts", (double) maxAttempts);
    policy.put("hedgingDelay", RetryPolicy.seconds(hedgingDelay));
    policy.put("nonFatalStatusCodes", codes.stream().map(Enum::name).toList());
    return policy;
  }

  /** Names all settings. */
  @Override
  public String toString() {
    return "HedgingPolicy[maxAttempts=" + maxAttempts
        + ", hedgingDelay=" + hedgingDelay
        + ", nonFatalStatusCodes=" + codes
        + ", " + throttling
        + "]";
  }

  /** Collects the settings of a {@link HedgingPolicy}. Not safe for use by several threads. */
  public static final class Builder {
    private int maxAttempts = 2;
    private Duration hedgingDelay = Duration.ofMillis(100);
    private Set<Status.Code> codes = EnumSet.of(Status.Code.UNAVAILABLE);
    private Throttling throttling = Throttling.DEFAULT;

    private Builder() {}

    /** Sets how often a call is made in all, 2 to 100; 2 by default. */
    public Builder maxAttempts(int maxAttempts) {
      this.maxAttempts = Check.within(maxAttempts, 2, 100, "maxAttempts");
      return this;
    }

    /**
     * Sets after which time without a reply there is another attempt, 100 ms by default; with
     * {@link Duration#ZERO} all are made at once.
     */
    public Builder hedgingDelay(Duration hedgingDelay) {
      this.hedgingDelay = Check.notNegative(hedgingDelay, "hedgingDelay");
      return this;
    }

    /**
     * Sets which statuses of an attempt do not end the call, unless it was the last attempt; {@code
     * UNAVAILABLE} by default. The next attempt comes when its delay has passed, not before.
     */
    public Builder nonFatalStatusCodes(Status.Code first, Status.Code... others) {
      codes = RetryPolicy.failures("nonFatalStatusCodes", first, others);
      return this;
    }

    /**
     * Sets how many tokens there are, 1 to 1000, 10 by default: half as many failures in a row stop
     * hedging. And how many tokens a success gives back, 0.001 to 1000, 0.1 by default.
     */
    public Builder throttling(int maxTokens, double tokenRatio) {
      this.throttling = new Throttling(maxTokens, tokenRatio);
      return this;
    }

    /** Returns the policy. */
    public HedgingPolicy build() {
      return new HedgingPolicy(this);
    }
  }
}
