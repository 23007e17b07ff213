package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.net.Tls;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import io.grpc.netty.GrpcSslContexts;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What settings of TLS can be made, and where they belong. */
class TlsTest extends RpcTest {
  private static final Path CHAIN = Path.of("chain.pem");
  private static final Path KEY = Path.of("own.key");

  @Test
  void settingsOfTheOtherSideAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> RpcServer.builder().tls(Tls.client()))
        .withMessage("tls: client settings (expected: server settings)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> RpcChannel.builder().tls(Tls.server(CHAIN, KEY)))
        .withMessage("tls: server settings (expected: client settings)");
  }

  @Test
  void thereIsNoTlsWithinOneProcess() {
    assertThatIllegalStateException()
        .isThrownBy(RpcServer.builder()
            .addService(new GreeterService())
            .inProcessName("x")
            .tls(Tls.server(CHAIN, KEY))::start)
        .withMessage("inProcessName: x (expected: neither host, port, address, path, tls nor"
            + " keepalive set)");
    assertThatIllegalStateException()
        .isThrownBy(RpcChannel.builder().inProcessName("x").tls(Tls.client())::build)
        .withMessage("inProcessName: x (expected: no tls set)");
  }

  @TempDir
  Path directory;

  @Test
  void neitherServerNorChannelStartsWithoutItsFiles() throws Exception {
    Path none = directory.resolve("none.pem");
    Tls server = Certificates.in(directory).server();
    String text =
        "authorities: " + none + " cannot be read: java.nio.file.NoSuchFileException: " + none;

    assertThat(catchThrowable(
            RpcServer.builder().addService(new GreeterService()).tls(server.trusting(none))::start))
        .isExactlyInstanceOf(IOException.class)
        .hasMessage(text);
    RpcChannelBuilder channel =
        RpcChannel.builder().target("localhost:1").tls(Tls.client().trusting(none));
    assertThat(catchThrowable(channel::connect))
        .isExactlyInstanceOf(IOException.class)
        .hasMessage(text);
    assertThat(catchThrowable(channel::build))
        .isExactlyInstanceOf(UncheckedIOException.class)
        .hasMessage(text);
  }

  @Test
  void contextOfTheCallerMustOfferHttp2() throws Exception {
    String text = "tls: the given SslContext does not offer h2 by ALPN"
        + " (expected: one made with GrpcSslContexts)";
    Certificates known = Certificates.in(directory);
    SslContextBuilder server =
        SslContextBuilder.forServer(known.serverChain.toFile(), known.serverKey.toFile());
    SslContextBuilder client =
        SslContextBuilder.forClient().trustManager(known.authorities.toFile());

    assertThatIllegalStateException()
        .isThrownBy(greeter().tls(Tls.of(server.build()))::start)
        .withMessage(text);
    assertThatIllegalStateException()
        .isThrownBy(RpcChannel.builder().target("x:1").tls(Tls.of(client.build()))::build)
        .withMessage(text);

    RpcServer running =
        start(greeter().tls(Tls.of(GrpcSslContexts.configure(server).build())));
    RpcChannel channel = closing(RpcChannel.builder()
        .address("localhost", running.port())
        .tls(Tls.of(GrpcSslContexts.configure(client).build()))
        .build());
    assertThat(GreeterClient.of(channel).sayHello("x")).isEqualTo("Hello, x!");
    assertThat(running.reloadTls()).as("there are no files").isFalse();
  }

  private static RpcServerBuilder greeter() {
    return RpcServer.builder().addService(new GreeterService());
  }

  /** gRPC's own limit is 10 seconds. */
  @Test
  void handshakeTimeoutEndsConnectionsOfServersAndChannels() throws Exception {
    Certificates known = Certificates.in(directory);
    RpcServer server =
        start(greeter().tls(known.server().handshakeTimeout(Duration.ofMillis(200))));
    try (Socket silent = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
      silent.setSoTimeout(8_000);
      assertThat(silent.getInputStream().read()).isEqualTo(-1);
    }
    Await.until("it is counted", () -> server.counters().connectionsTimedOut() == 1);

    try (ServerSocket silent = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      RpcChannel channel = closing(RpcChannel.builder()
          .address("localhost", silent.getLocalPort())
          .tls(known.client().handshakeTimeout(Duration.ofMillis(200)))
          .closeTimeout(Duration.ZERO)
          .build());
      assertThat(text(failure(() -> GreeterClient.of(channel).sayHello("x"))))
          .contains("the server did not complete the TLS handshake:"
              + " handshake not done within handshakeTimeout PT0.2S");
    }
  }
}
