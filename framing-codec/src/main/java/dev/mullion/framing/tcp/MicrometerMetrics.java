package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.base.Check;
import io.micrometer.core.instrument.MeterRegistry;
import java.net.InetSocketAddress;
import java.net.SocketAddress;

/**
 * All counters of a {@link FramedServer} or a {@link FramedClient} as meters of Micrometer. It needs
 * {@code io.micrometer:micrometer-core} on the class path.
 *
 * <pre>{@code
 * try (FramedServer server = FramedServer.builder().handler(echo).start();
 *     MicrometerMetrics metrics = MicrometerMetrics.bind(server, registry)) {
 *   serve();
 * }
 * }</pre>
 *
 * <p>A counter has the name that it has in {@link TcpCounters}, word by word: {@code
 * mullion.tcp.connections.opened}, {@code mullion.tcp.reads.paused.for.memory}. Those of {@link
 * dev.mullion.framing.FrameCounters} are {@code mullion.frames.decoded}, {@code
 * mullion.frames.bytes.decoded} and so on. {@code mullion.tcp.connections.open}, {@code
 * mullion.tcp.connections.waiting} and a server's {@code mullion.tcp.memory.used} are gauges. Each has the tags {@code side}, which is {@code server} or
 * {@code client}, and {@code address}: what the server listens on, or what the client connects to.
 *
 * <p>The numbers are read when the registry asks, and cost nothing before that. The registry holds the
 * server or client until this is closed, which removes the meters and closes nothing else. All
 * methods may be called by any thread.
 */
public final class MicrometerMetrics implements AutoCloseable {
  private final Runnable remove;

  private MicrometerMetrics(Runnable remove) {
    this.remove = remove;
  }

  /**
   * Adds a server's counters to a registry.
   *
   * @param tags more tags, keys and values in turn
   * @throws IllegalStateException if meters with these tags are there already, or micrometer-core is
   *     missing
   */
  @SuppressWarnings("exports") // Who calls it has Micrometer, and nobody else needs it.
  public static MicrometerMetrics bind(
      FramedServer server, MeterRegistry registry, String... tags) {
    checkPresent();
    requireNonNull(server, "server");
    requireNonNull(registry, "registry");
    Meters meters = new Meters(registry, "server", text(server.address()), tags);
    meters.add(server.counters());
    meters.addMemory(server::memoryUsed);
    return new MicrometerMetrics(meters::remove);
  }

  /**
   * Adds a client's counters to a registry. Several clients of one address need tags that tell them
   * apart.
   *
   * @param tags more tags, keys and values in turn
   * @throws IllegalStateException if meters with these tags are there already, or micrometer-core is
   *     missing
   */
  @SuppressWarnings("exports") // Who calls it has Micrometer, and nobody else needs it.
  public static MicrometerMetrics bind(
      FramedClient client, MeterRegistry registry, String... tags) {
    checkPresent();
    requireNonNull(client, "client");
    requireNonNull(registry, "registry");
    Meters meters = new Meters(registry, "client", client.target(), tags);
    meters.add(client.counters());
    return new MicrometerMetrics(meters::remove);
  }

  private static void checkPresent() {
    Check.present(
        MicrometerMetrics.class,
        "micrometer",
        "io.micrometer.core.instrument.MeterRegistry",
        "io.micrometer:micrometer-core",
        "micrometer.core");
  }

  private static String text(SocketAddress address) {
    return address instanceof InetSocketAddress inet
        ? inet.getHostString() + ":" + inet.getPort()
        : address.toString();
  }

  /** Removes the meters from the registry. */
  @Override
  public void close() {
    remove.run();
  }
}
