package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import java.lang.ref.WeakReference;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A timer that outlives its connection keeps it, with all that it refers to, for the whole timeout:
 * with short connections that is memory without a bound. The timeouts are long here.
 */
class ClosedConnectionsTest {
  private static final int CONNECTIONS = 2;
  private static final Duration LONG = Duration.ofMinutes(10);
  private static final Reconnect RECONNECT =
      Reconnect.builder().firstDelay(Duration.ofMillis(1)).build();

  @TempDir
  static Path directory;

  private static Certificates certificates;

  private final Queue<WeakReference<FramedConnection>> seen = new ConcurrentLinkedQueue<>();

  /** Who ends the connection, and how. */
  enum End {
    PEER_CLOSES {
      @Override
      void end(FramedConnection connection, FramedClient peer) {
        peer.close();
      }
    },
    PEER_ENDS_ITS_OUTPUT {
      @Override
      void end(FramedConnection connection, FramedClient peer) {
        peer.connection().endOutput();
      }
    },
    PEER_ABORTS {
      @Override
      void end(FramedConnection connection, FramedClient peer) {
        peer.connection().abort();
      }
    },
    CLOSES {
      @Override
      void end(FramedConnection connection, FramedClient peer) {
        connection.closeWhenSent();
      }
    },
    ENDS_ITS_OUTPUT {
      @Override
      void end(FramedConnection connection, FramedClient peer) {
        connection.endOutput();
        peer.close();
      }
    },
    ABORTS {
      @Override
      void end(FramedConnection connection, FramedClient peer) {
        connection.abort();
      }
    };

    abstract void end(FramedConnection connection, FramedClient peer);
  }

  @BeforeAll
  static void makeCertificates() throws Exception {
    certificates = Certificates.in(directory);
  }

  static Stream<Arguments> endsOfEachWay() {
    return Stream.of(End.values())
        .flatMap(end -> Stream.of(Way.values())
            .flatMap(way -> Stream.of(false, true)
                .filter(tls -> !tls || way == Way.BATCH)
                .map(tls -> Arguments.of(end, way, tls))));
  }

  @ParameterizedTest
  @MethodSource("endsOfEachWay")
  void nothingKeepsThem(End end, Way way, boolean tls) throws Exception {
    FramedServerBuilder builder =
        recording(way).closeTimeout(LONG).idleTimeout(LONG).stallTimeout(LONG).frameTimeout(LONG);
    try (FramedServer server = (tls ? builder.tls(certificates.server()) : builder).start()) {
      for (int i = 0; i < CONNECTIONS; i++) {
        exchangeAndEnd(server, end, tls);
      }
      Await.until("all are closed", () -> server.counters().connectionsOpen() == 0);
      awaitCollected(0);
    }
  }

  @Test
  void nothingKeepsThoseOfAClientThatConnectsAgain() throws Exception {
    Queue<FramedConnection> served = new ConcurrentLinkedQueue<>();
    try (FramedServer server = FramedServer.builder()
            .reactiveHandler(connection -> {
              served.add(connection);
              connection.publisher().subscribe(connection.subscriber());
            })
            .start();
        FramedClient client = FramedClient.builder()
            .host("127.0.0.1")
            .port(server.port())
            .closeTimeout(LONG)
            .reconnect(RECONNECT)
            .onConnected(connection -> seen.add(new WeakReference<>(connection)))
            .connect()) {
      for (int i = 1; i <= CONNECTIONS; i++) {
        int connections = i;
        Await.until("it has connected", () -> seen.size() == connections && !served.isEmpty());
        served.remove().closeWhenSent();
      }
      Await.until("it has connected", () -> seen.size() == CONNECTIONS + 1);
      awaitCollected(1);
      assertThat(client.connection().isOpen()).isTrue();
    }
  }

  private void exchangeAndEnd(FramedServer server, End end, boolean tls) throws Exception {
    FramedClientBuilder settings = FramedClient.builder().host("127.0.0.1").port(server.port());
    try (FramedClient peer = (tls ? settings.tls(certificates.client()) : settings).connect()) {
      peer.connection().send(new byte[10]);
      assertThat(peer.connection().receive()).hasSize(10);
      FramedConnection served = seen.stream()
          .map(WeakReference::get)
          .filter(each ->
              each != null && each.remoteAddress().equals(peer.connection().localAddress()))
          .findFirst()
          .orElseThrow();
      end.end(served, peer);
    }
  }

  private void awaitCollected(int open) throws Exception {
    assertThat(seen).hasSize(CONNECTIONS + open);
    Await.until("they are collected", () -> {
      System.gc();
      return seen.stream().filter(each -> each.get() != null).count() == open;
    });
  }

  private FramedServerBuilder recording(Way way) {
    FramedServerBuilder builder = FramedServer.builder();
    return switch (way) {
      case BLOCKING ->
        builder.handler(connection -> {
          seen.add(new WeakReference<>(connection));
          for (byte[] frame : connection) {
            connection.send(frame);
          }
        });
      case BATCH -> builder.batchHandler(Recording::new);
      case REACTIVE ->
        builder.reactiveHandler(connection -> {
          seen.add(new WeakReference<>(connection));
          connection.publisher().subscribe(connection.subscriber());
        });
    };
  }

  /** Echoes frames. */
  private final class Recording implements BatchHandler {
    @Override
    public void opened(FramedConnection connection) {
      seen.add(new WeakReference<>(connection));
    }

    @Override
    public void frames(FramedConnection connection, FrameBatch batch) {
      FramedServerTest.reply(connection, batch);
    }
  }
}
