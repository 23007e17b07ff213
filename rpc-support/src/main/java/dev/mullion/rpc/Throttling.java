package dev.mullion.rpc;

import dev.mullion.net.base.Check;
import java.util.Map;

/** How many of a channel's calls must succeed so that there are attempts beyond the first. */
record Throttling(int maxTokens, double tokenRatio) {
  static final Throttling DEFAULT = new Throttling(10, 0.1);

  Throttling {
    Check.within(maxTokens, 1, 1000, "maxTokens");
    if (!(tokenRatio >= 0.001)) {
      throw new IllegalArgumentException("tokenRatio: " + tokenRatio + " (expected: >= 0.001)");
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
