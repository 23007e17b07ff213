package dev.mullion.framing.tcp;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.net.Tls;
import dev.mullion.net.TlsState;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLSession;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Framed servers and clients load changed TLS files as gRPC servers and channels do. */
@Timeout(60)
class FramedTlsReloadTest {
  @TempDir
  Path directory;

  private Certificates known;

  /** The numbers of the certificates that clients presented. */
  private final BlockingQueue<BigInteger> presented = new LinkedBlockingQueue<>();

  @BeforeEach
  void makeCertificates() throws Exception {
    known = Certificates.in(directory);
  }

  private FramedServer server(Tls tls) throws IOException {
    return FramedServer.builder()
        .tls(tls)
        .handler(connection -> {
          SSLSession session = connection.tlsSession();
          if (tls.authorities() != null && session != null) {
            presented.add(number(session));
          }
          for (byte[] frame : connection) {
            connection.send(frame);
          }
        })
        .start();
  }

  private FramedClient client(FramedServer server, Tls tls) throws IOException {
    return FramedClient.builder().host("localhost").port(server.port()).tls(tls).connect();
  }

  private static BigInteger number(@Nullable SSLSession session) throws IOException {
    return ((X509Certificate) requireNonNull(session).getPeerCertificates()[0]).getSerialNumber();
  }

  /** Returns the number of the certificate that a new client sees. */
  private BigInteger seen(FramedServer server) {
    try (FramedClient client = client(server, known.client())) {
      return number(client.connection().tlsSession());
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void serverTakesANewCertificateWhileAConnectionStaysOpen() throws Exception {
    BigInteger first = known.renewServer();
    try (FramedServer server = server(known.server().reloadInterval(Duration.ofMillis(20)));
        FramedClient before = client(server, known.client())) {
      BigInteger second = known.renewServer();

      Await.until("it is loaded", () -> seen(server).equals(second));

      assertThat(number(before.connection().tlsSession())).isEqualTo(first);
      assertThat(before.request("one".getBytes(UTF_8)).get(20, TimeUnit.SECONDS))
          .isEqualTo("one".getBytes(UTF_8));
      assertThat(server.tlsState().reloads()).isPositive();
    }
  }

  /** A client that reconnects for weeks presented a certificate that had expired long ago. */
  @Test
  void clientReconnectsWithItsNewCertificate() throws Exception {
    BigInteger first = known.renewClient();
    try (FramedServer server = server(known.mutualServer());
        FramedClient client = FramedClient.builder()
            .host("localhost")
            .port(server.port())
            .tls(known.mutualClient().reloadInterval(Duration.ZERO))
            .reconnect(Reconnect.builder().firstDelay(Duration.ofMillis(1)).build())
            .connect()) {
      assertThat(presented.poll(20, TimeUnit.SECONDS)).isEqualTo(first);
      BigInteger second = known.renewClient();
      assertThat(client.reloadTls()).isTrue();
      assertThat(client.reloadTls()).isFalse();

      client.connection().abort();

      assertThat(presented.poll(20, TimeUnit.SECONDS)).isEqualTo(second);
      assertThat(client.tlsState()).isEqualTo(new TlsState(1, 0, null));
    }
  }

  @Test
  void fileThatIsBrokenLeavesTheOldOneInUse() throws Exception {
    BigInteger first = known.renewServer();
    try (FramedServer server = server(known.server().reloadInterval(Duration.ZERO))) {
      known.write("server.key", "half of it");
      String text = "privateKey: " + known.serverKey
          + " contains no key (expected: PKCS #8 as PEM, BEGIN PRIVATE KEY)";

      assertThatExceptionOfType(IOException.class).isThrownBy(server::reloadTls).withMessage(text);

      assertThat(server.tlsState()).isEqualTo(new TlsState(0, 1, text));
      assertThat(server.counters().tlsReloadsFailed()).isEqualTo(1);
      assertThat(seen(server)).isEqualTo(first);
    }
  }

  @Test
  void filesAreNotCheckedAfterTheEnd() throws Exception {
    Tls often = known.server().reloadInterval(Duration.ofMillis(20));
    FramedServer server = server(often);
    FramedClient client =
        client(server, known.mutualClient().reloadInterval(Duration.ofMillis(20)));
    known.renewClient();
    known.renewServer();
    Await.until(
        "both are loaded",
        () -> server.tlsState().reloads() > 0 && client.tlsState().reloads() > 0);
    client.close();
    server.close();

    Await.until(
        "nothing is checked",
        () -> Thread.getAllStackTraces().keySet().stream()
            .noneMatch(thread -> thread.getName().equals("mullion-tls-reload")));
  }

  @Test
  void withoutTlsThereIsNothingToReload() throws Exception {
    try (FramedServer server = FramedServer.builder().handler(connection -> {}).start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      for (ThrowingCallable asking :
          List.<ThrowingCallable>of(server::reloadTls, server::tlsState)) {
        assertThatIllegalStateException()
            .isThrownBy(asking)
            .withMessage("server has no TLS (expected: tls set in its builder)");
      }
      for (ThrowingCallable asking :
          List.<ThrowingCallable>of(client::reloadTls, client::tlsState)) {
        assertThatIllegalStateException()
            .isThrownBy(asking)
            .withMessage("client has no TLS (expected: tls set in its builder)");
      }
    }
  }
}
