package dev.mullion.framing.benchmark;

import dev.mullion.framing.testing.comparison.Comparison;
import dev.mullion.framing.testing.comparison.Comparison.Load;
import dev.mullion.framing.testing.comparison.Comparison.Server;
import java.util.List;

/** Compares our echo with Netty's own codec, and with Netty without frames. See CONTRIBUTING. */
public final class EchoComparison {
  static final List<Load> LOADS = List.of(
      load("tiny 16 x 64 x 16 B", 16, 64, 16),
      load("small 16 x 64 x 64 B", 16, 64, 64),
      load("medium 16 x 64 x 1 KiB", 16, 64, 1024),
      load("large 16 x 64 x 64 KiB", 16, 64, 64 * 1024),
      load("huge 4 x 4 x 1 MiB", 4, 4, 1024 * 1024),
      load("ping-pong 1 x 1 x 64 B", 1, 1, 64));

  private EchoComparison() {}

  /** Measures with the options given. */
  public static void main(String[] arguments) throws Exception {
    comparison().run("echo", arguments);
  }

  static Comparison comparison() {
    return new Comparison(
        "Echoed frames per second of the server's CPU time",
        "frames",
        EchoLoad.class,
        LOADS,
        List.of(
            new Server("Mullion", ComparedServers.class, "mullion"),
            new Server("Netty's codec", ComparedServers.class, "codec"),
            new Server("Netty without frames", ComparedServers.class, "bytes")));
  }

  private static Load load(String name, int connections, int inFlight, int size) {
    return new Load(
        name,
        List.of(Integer.toString(connections), Integer.toString(inFlight), Integer.toString(size)));
  }
}
