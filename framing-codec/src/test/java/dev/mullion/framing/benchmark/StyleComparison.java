package dev.mullion.framing.benchmark;

import dev.mullion.framing.testing.comparison.Comparison;
import dev.mullion.framing.testing.comparison.Comparison.Load;
import dev.mullion.framing.testing.comparison.ComparisonSet;
import io.netty.handler.ssl.OpenSsl;
import java.util.ArrayList;
import java.util.List;

/**
 * Compares each way to handle frames, and the requests of a client, with Netty's own handlers that
 * do the same. See CONTRIBUTING.
 */
public final class StyleComparison {
  private static final List<Load> SIZES = List.of(
      new Load("tiny 16 B", List.of("16")),
      new Load("medium 1 KiB", List.of("1024")),
      new Load("large 64 KiB", List.of("65536")),
      new Load("huge 1 MiB", List.of("1048576")));

  private static final List<Load> FRAMES = EchoComparison.LOADS.stream()
      .filter(load -> !load.name().startsWith("small"))
      .toList();

  private StyleComparison() {}

  /** Measures with the options given. */
  public static void main(String[] arguments) throws Exception {
    comparisons().run(arguments);
  }

  static ComparisonSet comparisons() {
    List<Comparison> all = new ArrayList<>();
    all.add(servers("handler on platform threads", EchoLoad.class, "platform", "platform"));
    if (Runtime.version().feature() >= 21) {
      all.add(servers("handler on virtual threads", EchoLoad.class, "blocking", "virtual"));
    }
    all.add(servers("batchHandler that rewrites", EchoLoad.class, "reverse", "reverse"));
    all.add(servers("reactiveHandler", EchoLoad.class, "reactive", "echo"));
    all.add(requests(1));
    all.add(requests(64));
    all.add(servers("TLS of the JDK", TlsLoad.class, "tls-jdk", "tls-jdk"));
    if (OpenSsl.isAvailable()) {
      all.add(servers("TLS of BoringSSL", TlsLoad.class, "tls-openssl", "tls-openssl"));
    }
    return new ComparisonSet("styles", all);
  }

  private static Comparison servers(String title, Class<?> generator, String ours, String nettys) {
    return new Comparison(
        title,
        "frames",
        generator,
        FRAMES,
        ComparisonSet.pair(StyleServer.class, ours, NettyStyleServer.class, nettys));
  }

  private static Comparison requests(int inFlight) {
    List<Load> loads = SIZES.stream()
        .map(size -> new Load(
            size.name(), List.of(Integer.toString(inFlight), size.arguments().get(0))))
        .toList();
    return new Comparison(
        "request with " + inFlight + " in flight",
        "requests",
        RequestLoad.class,
        loads,
        ComparisonSet.pair(RequestClients.class, "mullion", RequestClients.class, "netty"));
  }
}
