package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.ClassesWithout;
import dev.mullion.net.Tls;
import dev.mullion.net.base.TlsReloader;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class MicrometerMetricsTest {
  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();

  private static FramedServer startEcho() throws Exception {
    return FramedServer.builder()
        .handler(connection -> {
          for (byte[] frame : connection) {
            connection.send(frame);
          }
        })
        .start();
  }

  private double count(String name, String side) {
    return registry.get(name).tag("side", side).functionCounter().count();
  }

  @Test
  void everyCounterIsAMeterWithItsNumber() throws Exception {
    try (FramedServer server = startEcho();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port());
        MicrometerMetrics ofServer = MicrometerMetrics.bind(server, registry);
        MicrometerMetrics ofClient = MicrometerMetrics.bind(client, registry, "pool", "a")) {
      assertThat(ofServer).isNotSameAs(ofClient);
      for (int i = 0; i < 3; i++) {
        client.request(new byte[10]).get(20, TimeUnit.SECONDS);
      }

      String address = "127.0.0.1:" + server.port();
      for (String side : new String[] {"server", "client"}) {
        assertThat(count("mullion.tcp.connections.opened", side)).isEqualTo(1);
        // The last is counted when its handler has come back for more.
        Await.until("all are counted", () -> count("mullion.frames.decoded", side) == 3);
        assertThat(count("mullion.frames.bytes.encoded", side)).isEqualTo(42);
        assertThat(count("mullion.tcp.reads.paused.for.memory", side)).isZero();
        assertThat(registry
                .get("mullion.tcp.connections.open")
                .tag("side", side)
                .gauge()
                .value())
            .isEqualTo(1);
        assertThat(registry.find("mullion.tcp.memory.used").tag("side", side).gauges())
            .hasSize(side.equals("server") ? 1 : 0);
        // As many as there are counters, and all with the address.
        assertThat(registry.getMeters())
            .filteredOn(meter -> side.equals(meter.getId().getTag("side")))
            .allMatch(meter -> address.equals(meter.getId().getTag("address")))
            .hasSize(server.counters().asMap().size() + 9 + (side.equals("server") ? 1 : 0));
      }
      Gauge memory = registry.get("mullion.tcp.memory.used").gauge();
      Await.until(
          "the gauge shows the server's memory",
          () -> (long) memory.value() == server.memoryUsed());
      assertThat(registry.getMeters())
          .allMatch(meter -> meter instanceof FunctionCounter || meter instanceof Gauge);
      assertThat(registry.get("mullion.frames.decoded").tag("pool", "a").meters())
          .hasSize(1);
    }
  }

  @Test
  void closingRemovesItsOwnMetersOnly() throws Exception {
    try (FramedServer first = startEcho();
        FramedServer second = startEcho();
        MicrometerMetrics kept = MicrometerMetrics.bind(second, registry)) {
      assertThat(kept).isNotNull();
      int present = registry.getMeters().size();
      MicrometerMetrics metrics = MicrometerMetrics.bind(first, registry);
      assertThat(registry.getMeters()).hasSize(2 * present);
      metrics.close();
      metrics.close();
      assertThat(registry.getMeters())
          .hasSize(present)
          .extracting(Meter::getId)
          .allMatch(id -> id.getTags().toString().contains(":" + second.port()));
    }
  }

  @Test
  void sameMetersTwiceAreRefused() throws Exception {
    try (FramedServer server = startEcho();
        FramedClient one = FramedClient.connect("127.0.0.1", server.port());
        FramedClient other = FramedClient.connect("127.0.0.1", server.port());
        MicrometerMetrics metrics = MicrometerMetrics.bind(one, registry, "client", "one")) {
      assertThat(metrics).isNotNull();
      assertThatThrownBy(() -> MicrometerMetrics.bind(other, registry, "client", "one"))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("metrics of client 127.0.0.1:" + server.port()
              + " are bound already (expected: tags that tell it apart)");
      MicrometerMetrics.bind(other, registry, "client", "other").close();
    }
  }

  /** Runs with no Micrometer on its class path. */
  public static final class Caller implements Runnable {
    /** Called by reflection. */
    public Caller() {}

    @Override
    @SuppressWarnings({"NullAway", "resource"}) // Neither argument is looked at.
    public void run() {
      MicrometerMetrics.bind((FramedServer) null, null);
    }
  }

  @Test
  void absentMicrometerIsNamed() throws Exception {
    try (ClassesWithout classes =
        new ClassesWithout(MicrometerMetrics.class, entry -> entry.contains("micrometer"))) {
      Runnable caller =
          (Runnable) classes.load(Caller.class.getName()).getConstructor().newInstance();
      assertThatThrownBy(caller::run)
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("micrometer needs io.micrometer:micrometer-core on the class path");
    }
  }

  /** Frameworks list the members of what they manage. */
  @Test
  void allOtherPublicClassesCanBeReflectedOnWithoutOptionalLibraries() throws Exception {
    try (ClassesWithout classes = new ClassesWithout(
        MicrometerMetrics.class,
        entry -> entry.matches(
            ".*(micrometer|netty-(handler|transport-classes|transport-native))[^/]*"))) {
      List<String> failed = new ArrayList<>();
      for (String name : classes.unreadable().keySet()) {
        if (Modifier.isPublic(Class.forName(name).getModifiers())) {
          failed.add(name);
        }
      }

      // The first two say that they need their library, and the last is not for users.
      assertThat(failed)
          .containsExactly(
              MicrometerMetrics.class.getName(), Tls.class.getName(), TlsReloader.class.getName());
      assertThat(classes.names()).hasSizeGreaterThan(50);
    }
  }
}
