package dev.mullion.rpc;

import dev.mullion.net.base.Check;
import java.util.Map;

/** How many of a channel's calls must succeed so that there are attempts beyond the first. */
record Throttling(int maxTokens, double tokenRatio) {
  static final int MOST_TOKENS = 1000;
  static final Throttling DEFAULT = new Throttling(10, 0.1);

  Throttling {
    Check.within(maxTokens, 1, MOST_TOKENS, "maxTokens");
    // To a success that gives back millions gRPC's number of tokens would become negative.
    if (!(tokenRatio >= 0.001 && tokenRatio <= MOST_TOKENS)) {
      throw new IllegalArgumentException(
          "tokenRatio: " + tokenRatio + " (expected: 0.001 to " + MOST_TOKENS + ")");
    }
  }

  /** Returns it as gRPC's service config has it. */
  Map<String, Object> config() {
    return Map.of("maxTokens", (double) maxTokens, "tokenRatio", tokenRatio);
  }

  /** Names both settings. */
  @Override
  public String toString() {
    return "maxTokens=" + maxTokens + ", tokenRatio=" + tokenRatio;
  }
}
