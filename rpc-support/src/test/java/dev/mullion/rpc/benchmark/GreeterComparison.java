package dev.mullion.rpc.benchmark;

import dev.mullion.framing.testing.comparison.Comparison;
import dev.mullion.framing.testing.comparison.Comparison.Load;
import dev.mullion.framing.testing.comparison.Comparison.Server;
import java.util.List;

/** Compares {@code RpcServer} with bare grpc-java. See CONTRIBUTING. */
public final class GreeterComparison {
  private static final List<Load> LOADS = List.of(load(1, 64), load(4, 25), load(32, 8));

  private GreeterComparison() {}

  /** Measures with the options given. */
  public static void main(String[] arguments) throws Exception {
    comparison().run("grpc", arguments);
  }

  /** Returns what is compared. */
  public static Comparison comparison() {
    return new Comparison(
        "Unary calls per second of the server's CPU time",
        "calls",
        GreeterLoad.class,
        LOADS,
        List.of(
            new Server("RpcServer", GreeterServers.class, "defaults"),
            new Server("RpcServer direct", GreeterServers.class, "direct"),
            new Server("grpc-java direct", GreeterServers.class, "plain-direct"),
            new Server("grpc-java", GreeterServers.class, "plain")));
  }

  private static Load load(int connections, int inFlight) {
    return new Load(
        connections + "x" + inFlight,
        List.of(Integer.toString(connections), Integer.toString(inFlight)));
  }
}
