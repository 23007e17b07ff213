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
 * When a channel hedges a call, as one immutable value: it makes another attempt before it knows
 * how the first one ends. The first successful reply is used, and the other attempts are cancelled.
 * Hedging makes the slowest calls faster. Use it only for methods that may run several times.
 *
 * <pre>{@code
 * HedgingPolicy hedging = HedgingPolicy.builder()
 *     .maxAttempts(3)
 *     .hedgingDelay(Duration.ofMillis(30))
 *     .nonFatalStatusCodes(Status.Code.UNAVAILABLE, Status.Code.RESOURCE_EXHAUSTED)
 *     .build();
 * }</pre>
 *
 * <p>By default there are 2 attempts in all, the second after 100 ms. If an attempt ends with
 * {@code UNAVAILABLE}, the call continues with the next attempt; any other failure ends the call.
 * Choose a delay that is longer than most calls take. A server's {@code grpc-retry-pushback-ms}
 * replaces it.
 *
 * <p>Attempts are throttled per channel, as with a {@link RetryPolicy}: of 10 tokens a failure
 * takes one, a success returns a tenth, and calls are not hedged while half of the tokens or fewer
 * are left.
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

    /** Sets the number of attempts, including the first, 2 to 100; 2 by default. */
    public Builder maxAttempts(int maxAttempts) {
      this.maxAttempts = Check.within(maxAttempts, 2, 100, "maxAttempts");
      return this;
    }

    /**
     * Sets the time without a reply before another attempt, 100 ms by default; with {@link
     * Duration#ZERO} all attempts are made at once.
     */
    public Builder hedgingDelay(Duration hedgingDelay) {
      this.hedgingDelay = Check.notNegative(hedgingDelay, "hedgingDelay");
      return this;
    }

    /**
     * Sets which statuses of an attempt do not end the call, unless it was the last attempt; {@code
     * UNAVAILABLE} by default. The next attempt still waits for its delay.
     */
    public Builder nonFatalStatusCodes(Status.Code first, Status.Code... others) {
      codes = RetryPolicy.failures("nonFatalStatusCodes", first, others);
      return this;
    }

    /**
     * Sets the throttling of hedging. Half as many consecutive failures as there are tokens stop
     * hedging.
     *
     * @param maxTokens the number of tokens, 1 to 1000, 10 by default
     * @param tokenRatio the number of tokens that a success returns, 0.001 to 1000, 0.1 by default
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
