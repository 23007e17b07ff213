package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.LoginRefusedException;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.testing.JavaProcess;
import dev.mullion.net.Tls;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** A broker that speaks TLS, with a certificate for one name. */
@ExtendWith(WithBroker.class)
class TlsTest {
  @TempDir
  Path directory;

  private static RabbitMqEngine.Builder engine(String address) {
    return RabbitMqEngine.builder().addresses(address).connectTimeout(Duration.ofSeconds(5));
  }

  @Test
  void connectsToATrustedBrokerOfThatNameOnly() throws Exception {
    X509Bundle certificate = new CertificateBuilder()
        .subject("CN=localhost")
        .addSanDnsName("localhost")
        .setIsCertificateAuthority(true)
        .buildSelfSigned();
    Path chain =
        Files.writeString(directory.resolve("chain.pem"), certificate.getCertificatePathPEM());
    Path key = Files.writeString(directory.resolve("key.pem"), certificate.getPrivateKeyPEM());
    int port = JavaProcess.freePort();
    String configuration = String.join(
        "\n",
        "listeners.ssl.1 = 127.0.0.1:" + port,
        "ssl_options.cacertfile = " + chain,
        "ssl_options.certfile = " + chain,
        "ssl_options.keyfile = " + key,
        "ssl_options.verify = verify_none",
        "");
    try (Broker broker = Broker.start(configuration)) {
      Tls trusting = Tls.client().trusting(chain);
      try (Messaging messaging =
          Messaging.on(engine("localhost:" + port).tls(trusting).build())) {
        messaging.push(WorkQueue.of("tls", Codecs.utf8()), "job").get();
        assertThat(messaging.health().up()).isTrue();
      }
      assertThatThrownBy(
              () -> Messaging.on(engine("127.0.0.1:" + port).tls(trusting).build()))
          .as("another name")
          .isInstanceOf(LoginRefusedException.class)
          .hasMessageContainingAll("127.0.0.1:" + port, "see tls", "No subject alternative names");
      assertThatThrownBy(
              () -> Messaging.on(engine("localhost:" + port).tls(Tls.client()).build()))
          .as("an authority that is not trusted")
          .isInstanceOf(LoginRefusedException.class)
          .hasMessageContainingAll("localhost:" + port, "see tls", "certification path");
      assertThatThrownBy(
              () -> Messaging.on(engine(broker.address()).tls(trusting).build()))
          .as("the port without TLS")
          .isInstanceOf(MessagingException.class)
          .hasMessageContainingAll(broker.address(), "tls")
          .hasMessageNotContaining("connection error");
      assertThatThrownBy(() -> Messaging.on(engine("localhost:" + port).build()))
          .as("the port with TLS, without it")
          .isInstanceOf(BrokerAwayException.class)
          .hasMessageContainingAll("localhost:" + port, "tls")
          .hasMessageNotContaining("connection error");
    }
  }

  @Test
  void settingsOfAServerAreRejected() {
    Tls server = Tls.server(Path.of("chain.pem"), Path.of("key.pem"));

    assertThatThrownBy(() -> RabbitMqEngine.builder().tls(server))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("expected: Tls.client()");
  }
}
