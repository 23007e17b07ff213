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
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class MicrometerMetricsTest {
  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();

  private static FramedServer startEcho(TcpObserver observer) throws Exception {
    return FramedServer.builder()
        .observe(observer)
        .handler(connection -> {
          for (byte[] frame : connection) {
            connection.send(frame);
          }
        })
        .start();
  }

  private static FramedClient connect(FramedServer server, TcpObserver observer) throws Exception {
    return FramedClient.builder().port(server.port()).observe(observer).connect();
  }

  private double count(String name, String side) {
    return registry.get(name).tag("side", side).functionCounter().count();
  }

  @Test
  void echoServerIsObservedToo() throws Exception {
    try (EchoServer server =
            EchoServer.builder().observe(MicrometerMetrics.of(registry)).start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      client.request(new byte[10]).get(20, TimeUnit.SECONDS);

      assertThat(count("mullion.frames.decoded", "server")).isEqualTo(1);
    }
  }

  @Test
  void everyCounterIsAMeterWithItsNumber() throws Exception {
    try (FramedServer server = startEcho(MicrometerMetrics.of(registry));
        FramedClient client = connect(server, MicrometerMetrics.of(registry, "pool", "a"))) {
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

  /** One observer may be given to several of them. */
  @Test
  void endRemovesItsOwnMetersOnly() throws Exception {
    MicrometerMetrics metrics = MicrometerMetrics.of(registry);
    try (FramedServer second = startEcho(metrics)) {
      int present = registry.getMeters().size();
      FramedServer first = startEcho(metrics);
      FramedClient client = connect(first, metrics);
      assertThat(registry.getMeters()).hasSize(3 * present - 1);
      client.close();
      client.close();
      assertThat(registry.getMeters()).hasSize(2 * present);
      first.close();
      first.close();
      assertThat(registry.getMeters())
          .hasSize(present)
          .extracting(Meter::getId)
          .allMatch(id -> id.getTags().toString().contains(":" + second.port()));
    }
    assertThat(registry.getMeters()).isEmpty();
  }

  @Test
  void sameMetersTwiceAreRejected() throws Exception {
    MicrometerMetrics one = MicrometerMetrics.of(registry, "client", "one");
    try (FramedServer server = startEcho(MicrometerMetrics.of(registry));
        FramedClient client = connect(server, one)) {
      int present = registry.getMeters().size();
      assertThatThrownBy(() -> connect(server, one))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("metrics of client 127.0.0.1:" + server.port()
              + " are already bound (expected: distinguishing tags)");
      assertThat(registry.getMeters()).hasSize(present);
      connect(server, MicrometerMetrics.of(registry, "client", "other")).close();
      assertThat(client.isConnected()).isTrue();
    }
  }

  /** What a registry throws at the start is seen, and what it throws at the end is logged. */
  @Test
  void registryThatThrowsLeavesNothingRunning() throws Exception {
    RuntimeException broken = new IllegalArgumentException("no such meter");
    registry.config().onMeterAdded(meter -> {
      throw broken;
    });
    assertThatThrownBy(() -> startEcho(MicrometerMetrics.of(registry))).isSameAs(broken);

    registry.close();
    MeterRegistry atTheEnd = new SimpleMeterRegistry();
    atTheEnd.config().onMeterRemoved(meter -> {
      throw broken;
    });
    FramedServer server = startEcho(MicrometerMetrics.of(atTheEnd));
    server.close();
    assertThat(server.isTerminated()).isTrue();
  }

  @Test
  @SuppressWarnings("NullAway") // It is what the test is about.
  void wrongArgumentsAreNamed() {
    assertThatThrownBy(() -> MicrometerMetrics.of(registry, "key"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("tags: 1 (expected: alternating keys and values)");
    assertThatThrownBy(() -> MicrometerMetrics.of(null))
        .isInstanceOf(NullPointerException.class)
        .hasMessage("registry");
    assertThatThrownBy(() -> FramedServer.builder().observe(null))
        .isInstanceOf(NullPointerException.class)
        .hasMessage("observer");
  }

  /** Runs with no Micrometer on its class path. */
  public static final class Caller implements Runnable {
    /** Called by reflection. */
    public Caller() {}

    @Override
    @SuppressWarnings("NullAway") // It is not looked at.
    public void run() {
      MicrometerMetrics.of(null);
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
