package dev.mullion.rpc;

import dev.mullion.net.base.Check;
import java.util.Map;

/** The token bucket that throttles a channel's retries and hedging. */
record Throttling(int maxTokens, double tokenRatio) {
  static final int MOST_TOKENS = 1000;
  static final Throttling DEFAULT = new Throttling(10, 0.1);

  Throttling {
    Check.within(maxTokens, 1, MOST_TOKENS, "maxTokens");
    // If a success returned millions, gRPC's number of tokens would overflow.
    if (!(tokenRatio >= 0.001 && tokenRatio <= MOST_TOKENS)) {
      throw new IllegalArgumentException(
          "tokenRatio: " + tokenRatio + " (expected: 0.001 to " + MOST_TOKENS + ")");
    }
  }

  /** Returns the setting in the form of gRPC's service config. */
  Map<String, Object> config() {
    return Map.of("maxTokens", (double) maxTokens, "tokenRatio", tokenRatio);
  }

  /** Returns both settings. */
  @Override
  public String toString() {
    return "maxTokens=" + maxTokens + ", tokenRatio=" + tokenRatio;
  }
}
