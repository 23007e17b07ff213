package dev.mullion.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What settings can be made, and what becomes of them. */
@Timeout(60)
class TlsTest {
  private static final Path CHAIN = Path.of("chain.pem");
  private static final Path KEY = Path.of("own.key");

  @Test
  void contextOfTheCallerHasNoOtherSettings() throws Exception {
    Tls tls = Tls.of(SslContextBuilder.forClient().build());

    String left = ": configured by the given SslContext (expected: Tls.server or Tls.client)";
    refused(() -> tls.trusting(CHAIN), "trusting" + left);
    refused(() -> tls.presenting(CHAIN, KEY), "presenting" + left);
    refused(tls::withoutHostNameVerification, "withoutHostNameVerification" + left);
    refused(() -> tls.reloadInterval(Duration.ofSeconds(1)), "reloadInterval" + left);
  }

  @Test
  void serverHasNoSettingsOfAClient() {
    Tls server = Tls.server(CHAIN, KEY);

    String wrong = ": not supported for a server (expected: Tls.client)";
    refused(() -> server.presenting(CHAIN, KEY), "presenting" + wrong);
    refused(() -> server.presenting(CHAIN, KEY, "secret"), "presenting" + wrong);
    refused(server::withoutHostNameVerification, "withoutHostNameVerification" + wrong);
  }

  private static void refused(ThrowingCallable call, String text) {
    assertThatThrownBy(call).isExactlyInstanceOf(IllegalStateException.class).hasMessage(text);
  }

  @Test
  void settingsAreToldAsTheyWereGiven() throws Exception {
    Tls server = Tls.server(CHAIN, KEY, "secret").reloadInterval(Duration.ZERO);
    SslContext context = SslContextBuilder.forClient().build();

    assertThat(server.isForClient()).isFalse();
    assertThat(List.of(server.certificateChain(), server.privateKey(), server.password()))
        .isEqualTo(List.of(CHAIN, KEY, "secret"));
    assertThat(server.authorities()).isNull();
    assertThat(server.trusting(KEY).authorities()).isEqualTo(KEY);
    assertThat(server.handshakeTimeout()).isEqualTo(Duration.ofSeconds(10));
    assertThat(server.reloadInterval()).isZero();
    assertThat(Tls.client().reloadInterval()).isEqualTo(Duration.ofMinutes(1));
    assertThat(Tls.client().verifiesHostNames()).isTrue();
    assertThat(Tls.client().certificateChain()).isNull();
    assertThat(Tls.of(context).context()).isSameAs(context);
    assertThat(Tls.of(context).isForClient()).isTrue();
  }

  @Test
  void durationsOutOfRange() {
    assertThatThrownBy(() -> Tls.client().reloadInterval(Duration.ofMillis(-1)))
        .isExactlyInstanceOf(IllegalArgumentException.class)
        .hasMessage("reloadInterval: PT-0.001S (expected: >= PT0S)");
    assertThatThrownBy(() -> Tls.client().handshakeTimeout(Duration.ZERO))
        .isExactlyInstanceOf(IllegalArgumentException.class)
        .hasMessage("handshakeTimeout: PT0S (expected: > PT0S)");
    assertThatThrownBy(() -> Tls.client().handshakeTimeout(Duration.ofMillis(-1)))
        .isExactlyInstanceOf(IllegalArgumentException.class)
        .hasMessage("handshakeTimeout: PT-0.001S (expected: > PT0S)");
  }

  @Test
  @SuppressWarnings("NullAway") // It is what the test is about.
  void nullSettingsAreNamed() {
    isNull(() -> Tls.server(null, KEY), "certificateChain");
    isNull(() -> Tls.server(CHAIN, null), "privateKey");
    isNull(() -> Tls.server(CHAIN, KEY, null), "password");
    isNull(() -> Tls.client().presenting(null, KEY), "certificateChain");
    isNull(() -> Tls.client().presenting(CHAIN, null), "privateKey");
    isNull(() -> Tls.client().presenting(CHAIN, KEY, null), "password");
    isNull(() -> Tls.client().trusting(null), "authorities");
    isNull(() -> Tls.client().handshakeTimeout(null), "handshakeTimeout");
    isNull(() -> Tls.client().reloadInterval(null), "reloadInterval");
    isNull(() -> Tls.of(null), "context");
  }

  private static void isNull(ThrowingCallable call, String name) {
    assertThatThrownBy(call).isExactlyInstanceOf(NullPointerException.class).hasMessage(name);
  }

  /** Each setting changes its own value, and no other. */
  @Test
  void settingsAreKeptByTheNext() throws Exception {
    Tls client = Tls.client()
        .presenting(CHAIN, KEY, "secret")
        .trusting(Path.of("ca.pem"))
        .withoutHostNameVerification()
        .handshakeTimeout(Duration.ofSeconds(2))
        .reloadInterval(Duration.ofSeconds(3));
    Tls server = Tls.server(CHAIN, KEY)
        .reloadInterval(Duration.ofSeconds(3))
        .handshakeTimeout(Duration.ofSeconds(2))
        .trusting(Path.of("ca.pem"));
    SslContext context = SslContextBuilder.forClient().build();

    assertThat(client.password()).isEqualTo("secret");
    assertThat(client)
        .hasToString("Tls[client, certificateChain=chain.pem, privateKey=own.key,"
            + " authorities=ca.pem, verifiesHostNames=false, handshakeTimeout=PT2S,"
            + " reloadInterval=PT3S]");
    assertThat(server.password()).isNull();
    assertThat(server)
        .hasToString("Tls[server, certificateChain=chain.pem, privateKey=own.key,"
            + " authorities=ca.pem, handshakeTimeout=PT2S, reloadInterval=PT3S]");
    assertThat(Tls.client().password()).isNull();
    assertThat(Tls.of(context).handshakeTimeout(Duration.ofSeconds(2)))
        .hasToString("Tls[client, context=" + context + ", handshakeTimeout=PT2S]");
  }

  @Test
  void textHidesThePassword() {
    assertThat(Tls.server(CHAIN, KEY, "secret").trusting(Path.of("ca.pem")))
        .hasToString("Tls[server, certificateChain=chain.pem, privateKey=own.key,"
            + " authorities=ca.pem, handshakeTimeout=PT10S, reloadInterval=PT1M]");
    assertThat(Tls.client().withoutHostNameVerification())
        .hasToString("Tls[client, verifiesHostNames=false, handshakeTimeout=PT10S,"
            + " reloadInterval=PT1M]");
  }
}
