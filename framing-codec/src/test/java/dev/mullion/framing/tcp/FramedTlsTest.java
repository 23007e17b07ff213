package dev.mullion.framing.tcp;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.Certificates;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Framed connections over TLS. */
@Timeout(60)
class FramedTlsTest {
  private static Certificates certificates;

  @BeforeAll
  static void makeCertificates(@TempDir Path directory) throws Exception {
    certificates = Certificates.in(directory);
  }

  private static FramedClientBuilder client(FramedServer server) {
    return FramedClient.builder().host("localhost").port(server.port()).tls(certificates.client());
  }

  @ParameterizedTest
  @EnumSource
  void framesAreAnswered(FramedServerTest.Way way) throws Exception {
    byte[] large = new byte[1_000_000];
    try (FramedServer server = way.echo().tls(certificates.server()).start();
        FramedClient client = client(server).connect()) {
      FramedConnection connection = client.connection();
      for (int i = 0; i < 100; i++) {
        connection.send(("frame " + i).getBytes(UTF_8));
      }
      connection.send(large);
      for (int i = 0; i < 100; i++) {
        assertThat(connection.receive()).asString(UTF_8).isEqualTo("frame " + i);
      }
      assertThat(connection.receive()).isEqualTo(large);
      assertThat(connection.tlsSession())
          .isNotNull()
          .extracting(SSLSession::getProtocol)
          .isEqualTo("TLSv1.3");
    }
  }

  /**
   * Tickets of the server came to a socket that was closed, which reset it with all that was sent.
   */
  @RepeatedTest(5)
  void clientThatClosesAtOnceLosesNothing() throws Exception {
    AtomicInteger received = new AtomicInteger();
    CompletableFuture<Integer> all = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
        .tls(certificates.server())
        .handler(connection -> {
          while (connection.receive() != null) {
            received.incrementAndGet();
          }
          all.complete(received.get());
        })
        .start()) {
      try (FramedClient client = client(server).connect()) {
        for (int i = 0; i < 60; i++) {
          client.connection().send(new byte[20_000]);
        }
      }
      assertThat(all.get(20, TimeUnit.SECONDS)).isEqualTo(60);
    }
  }

  @Test
  void closeIsACleanEndForBothSides() throws Exception {
    CompletableFuture<String> seen = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
            .tls(certificates.server())
            .handler(connection -> {
              byte[] frame = connection.receive();
              if (frame != null && frame[0] == 'b') {
                return;
              }
              seen.complete(connection.receive() == null ? "end" : "frame");
            })
            .start();
        FramedClient closing = client(server).connect();
        FramedClient closed = client(server).connect()) {
      closing.connection().send("hello".getBytes(UTF_8));
      closing.connection().closeWhenSent();
      assertThat(seen.get(20, TimeUnit.SECONDS)).isEqualTo("end");

      closed.connection().send("bye".getBytes(UTF_8));
      assertThat(closed.connection().receive()).isNull();
      assertThat(server.counters().connectionsFailed()).isZero();
    }
  }

  @Test
  void streamThatIsCutIsNoCleanEnd() throws Exception {
    CompletableFuture<FramedConnection> accepted = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
            .tls(certificates.server())
            .handler(connection -> {
              accepted.complete(connection);
              connection.closed().toCompletableFuture().join();
            })
            .start();
        FramedClient client = client(server).connect()) {
      FramedConnection cut = accepted.get(20, TimeUnit.SECONDS);
      // Past TLS, so that it cannot say good-bye.
      cut.link().runOnLoop(() -> cut.link().context().pipeline().firstContext().close());

      assertThatThrownBy(() -> client.connection().receive())
          .isInstanceOf(IOException.class)
          .hasRootCauseInstanceOf(EOFException.class)
          .hasMessageContaining("connection is closed");
    }
  }

  @Test
  void serverOfAnotherNameIsRefused() throws Exception {
    try (FramedServer server = FramedServerTest.Way.BATCH
        .echo()
        .host("127.0.0.2")
        .tls(certificates.server())
        .start()) {
      assertThatThrownBy(() -> client(server).host("127.0.0.2").connect())
          .isInstanceOf(IOException.class)
          .hasMessageStartingWith("cannot connect to 127.0.0.2:" + server.port() + ": ")
          .hasMessageContaining("127.0.0.2");
    }
  }

  /** The error once said that the peer had closed, when the alert had been written at once. */
  @RepeatedTest(10)
  void serverOfAnotherAuthorityIsRefused(@TempDir Path directory) throws Exception {
    Certificates others = Certificates.in(directory);
    try (FramedServer server =
        FramedServerTest.Way.BATCH.echo().tls(certificates.server()).start()) {
      assertThatThrownBy(() -> client(server).tls(others.client()).connect())
          .isInstanceOf(IOException.class)
          .hasMessageContaining("PKIX path building failed");
    }
  }

  @Test
  void clientWithoutACertificateIsRefused() throws Exception {
    try (FramedServer server = FramedServerTest.Way.BLOCKING
            .echo()
            .tls(certificates.mutualServer())
            .start();
        FramedClient known = client(server).tls(certificates.mutualClient()).connect()) {
      assertThat(known.request(new byte[] {1}).get(20, TimeUnit.SECONDS)).containsExactly(1);
      // With TLS 1.3 the client's side is there before the server has refused it.
      assertThatThrownBy(() -> {
            try (FramedClient unknown = client(server).connect()) {
              unknown.connection().receive();
            }
          })
          .isInstanceOf(IOException.class);
      assertThat(server.counters().connectionsOpened()).isEqualTo(2);
    }
  }
}
