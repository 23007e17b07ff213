package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import dev.mullion.rpc.greeter.GreeterService;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** What settings of TLS can be made, and where they belong. */
class TlsTest {
  private static final Path CHAIN = Path.of("chain.pem");
  private static final Path KEY = Path.of("own.key");

  @Test
  void serverHasNoSettingsOfAClient() {
    Tls server = Tls.server(CHAIN, KEY);

    assertThatIllegalStateException()
        .isThrownBy(() -> server.presenting(CHAIN, KEY))
        .withMessage("presenting: not a setting of a server (expected: Tls.client)");
    assertThatIllegalStateException()
        .isThrownBy(server::withoutHostNameVerification)
        .withMessage(
            "withoutHostNameVerification: not a setting of a server (expected: Tls.client)");
  }

  @Test
  void settingsOfTheOtherSideAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> RpcServer.builder().tls(Tls.client()))
        .withMessage("tls: settings of a client (expected: of a server)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> RpcChannel.builder().tls(Tls.server(CHAIN, KEY)))
        .withMessage("tls: settings of a server (expected: of a client)");
  }

  @Test
  void thereIsNoTlsWithinOneProcess() {
    assertThatIllegalStateException()
        .isThrownBy(RpcServer.builder()
            .addService(new GreeterService())
            .inProcessName("x")
            .tls(Tls.server(CHAIN, KEY))::start)
        .withMessage("inProcessName: x (expected: neither host, port, address, unixSocket, tls nor"
            + " keepalive beside it)");
    assertThatIllegalStateException()
        .isThrownBy(RpcChannel.builder().inProcessName("x").tls(Tls.client())::build)
        .withMessage("inProcessName: x (expected: no tls beside it)");
  }

  @Test
  @SuppressWarnings("NullAway") // It is what the test is about.
  void wrongArgumentsAreNamed() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Tls.client().reloadInterval(Duration.ofMillis(-1)))
        .withMessage("reloadInterval: PT-0.001S (expected: >= PT0S)");
    assertThatNullPointerException()
        .isThrownBy(() -> Tls.server(CHAIN, null))
        .withMessage("privateKey");
    assertThatNullPointerException()
        .isThrownBy(() -> Tls.client().trusting(null))
        .withMessage("authorities");
    assertThatNullPointerException()
        .isThrownBy(() -> RpcServer.builder().tls(null))
        .withMessage("tls");
  }

  @Test
  void textNamesSettingsButNoPassword() {
    assertThat(Tls.server(CHAIN, KEY, "secret").trusting(CHAIN))
        .hasToString("Tls[server, certificateChain=chain.pem, privateKey=own.key,"
            + " authorities=chain.pem, reloadInterval=PT1M]");
    assertThat(Tls.client().withoutHostNameVerification().reloadInterval(Duration.ZERO))
        .hasToString("Tls[client, verifiesHostNames=false, reloadInterval=PT0S]");
  }
}
