package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.base.Check;
import io.micrometer.core.instrument.MeterRegistry;
import java.net.InetSocketAddress;
import java.net.SocketAddress;

/**
 * Publishes all counters of a {@link FramedServer} or a {@link FramedClient} as Micrometer meters.
 * Requires {@code io.micrometer:micrometer-core} on the class path.
 *
 * <pre>{@code
 * FramedServer server = FramedServer.builder()
 *     .handler(echo)
 *     .observe(MicrometerMetrics.of(registry))
 *     .start();
 * }</pre>
 *
 * <p>Meter names are the names in {@link TcpCounters}, split into words: {@code
 * mullion.tcp.connections.opened}, {@code mullion.tcp.reads.paused.for.memory}. Those of {@link
 * dev.mullion.framing.FrameCounters} are {@code mullion.frames.decoded}, {@code
 * mullion.frames.bytes.decoded} and so on. {@code mullion.tcp.connections.open}, {@code
 * mullion.tcp.connections.waiting} and a server's {@code mullion.tcp.memory.used} are gauges. Each
 * meter has the tags {@code side} ({@code server} or {@code client}) and {@code address}, the
 * address that the server listens on or that the client connects to. Several clients of one address
 * need additional tags: {@code start} and {@code connect} fail if the meters already exist.
 *
 * <p>The counters are read when the registry polls; at other times the meters cost nothing. They
 * are removed when the server has stopped or the client is closed.
 */
public final class MicrometerMetrics extends TcpObserver {
  private final MeterRegistry registry;
  private final String[] tags;

  private MicrometerMetrics(MeterRegistry registry, String[] tags) {
    this.registry = registry;
    this.tags = tags;
  }

  /**
   * Returns an observer that adds meters to a registry.
   *
   * @param tags more tags, as alternating keys and values
   * @throws IllegalStateException if micrometer-core is missing
   */
  @SuppressWarnings("exports") // Only callers need Micrometer.
  public static MicrometerMetrics of(MeterRegistry registry, String... tags) {
    Check.present(
        MicrometerMetrics.class,
        "micrometer",
        "io.micrometer.core.instrument.MeterRegistry",
        "io.micrometer:micrometer-core",
        "micrometer.core");
    requireNonNull(registry, "registry");
    if (requireNonNull(tags, "tags").length % 2 != 0) {
      throw new IllegalArgumentException(
          "tags: " + tags.length + " (expected: alternating keys and values)");
    }
    return new MicrometerMetrics(registry, tags.clone());
  }

  @Override
  Runnable observe(FramedServer server) {
    Meters meters = new Meters(registry, "server", text(server.address()), tags);
    return begun(meters, () -> {
      meters.add(server.counters());
      meters.addMemory(server::memoryUsed);
    });
  }

  @Override
  Runnable observe(FramedClient client) {
    Meters meters = new Meters(registry, "client", client.target(), tags);
    return begun(meters, () -> meters.add(client.counters()));
  }

  /** If the registry throws halfway, all meters are removed again. */
  private static Runnable begun(Meters meters, Runnable adding) {
    boolean complete = false;
    try {
      adding.run();
      complete = true;
      return meters::remove;
    } finally {
      if (!complete) {
        meters.remove();
      }
    }
  }

  private static String text(SocketAddress address) {
    return address instanceof InetSocketAddress inet
        ? inet.getHostString() + ":" + inet.getPort()
        : address.toString();
  }
}
