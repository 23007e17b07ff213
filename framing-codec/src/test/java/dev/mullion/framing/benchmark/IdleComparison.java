package dev.mullion.framing.benchmark;

import dev.mullion.framing.testing.comparison.IdleConnections;

/** Compares what an idle connection costs here and with Netty's own codec. See CONTRIBUTING. */
public final class IdleComparison {
  private IdleComparison() {}

  /** Measures; the arguments are the numbers of connections and rounds. */
  public static void main(String[] arguments) throws Exception {
    IdleConnections.run(
        EchoComparison.comparison().only("Mullion", "Netty's codec").servers(), arguments);
  }
}
