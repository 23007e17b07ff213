package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.framing.testing.Threads;
import dev.mullion.net.Tls;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.LongAdder;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who is let in over TLS, and what the others are told. */
class RpcTlsTest extends RpcTest {
  private static Certificates certificates;

  @BeforeAll
  static void makeCertificates(@TempDir Path directory) throws Exception {
    certificates = Certificates.in(directory);
  }

  private static RpcServerBuilder greeter() {
    return RpcServer.builder().addService(new GreeterService());
  }

  private static RpcChannelBuilder to(RpcServer server) {
    return RpcChannel.builder().target("localhost:" + server.port());
  }

  private static String greeting(RpcChannel channel) {
    return GreeterClient.of(channel).sayHello("world");
  }

  /** Neither to connect nor to call brings more, and both say why. */
  private void refused(RpcServer server, RpcChannelBuilder client, String... texts) {
    assertThatExceptionOfType(ConnectException.class)
        .isThrownBy(client::connect)
        .satisfies(failed -> assertThat(failed.getMessage())
            .startsWith("cannot connect to localhost:" + server.port() + ": " + texts[0])
            .contains(texts));
    RpcChannel channel = closing(client.build());
    assertThat(text(failure(() -> greeting(channel))))
        .startsWith("UNAVAILABLE: " + texts[0])
        .contains(texts);
    assertThat(server.counters().callsStarted()).isZero();
  }

  @Test
  void callsGoOverTls() throws Exception {
    CompletableFuture<SSLSession> session = new CompletableFuture<>();
    RpcServer server = start(greeter().tls(certificates.server()).intercept(noting(session)));
    RpcChannel channel = closing(to(server).tls(certificates.client()).connect());

    assertThat(greeting(channel)).isEqualTo("Hello, world!");
    assertThat(session.join().getProtocol()).isEqualTo("TLSv1.3");
  }

  private static ServerInterceptor noting(CompletableFuture<SSLSession> session) {
    return new ServerInterceptor() {
      @Override
      public <Q, R> ServerCall.Listener<Q> interceptCall(
          ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
        session.complete(call.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION));
        return next.startCall(call, headers);
      }
    };
  }

  @Test
  void serverKnowsWhoCallsByTheCertificate() throws Exception {
    CompletableFuture<SSLSession> session = new CompletableFuture<>();
    RpcServer server = start(greeter().tls(certificates.mutualServer()).intercept(noting(session)));
    RpcChannel channel = closing(to(server).tls(certificates.mutualClient()).build());

    assertThat(greeting(channel)).isEqualTo("Hello, world!");
    assertThat(session.join().getPeerPrincipal()).hasToString("CN=client");
  }

  @RepeatedTest(5)
  void clientWithoutACertificateIsRefused() throws Exception {
    RpcServer server = start(greeter().tls(certificates.mutualServer()));

    refused(
        server,
        to(server).tls(certificates.client()),
        // The alert may get lost when the server closes right away.
        "the server ",
        "(expected: presenting of Tls.client");
  }

  @RepeatedTest(5)
  void clientOfAnotherAuthorityIsRefused(@TempDir Path directory) throws Exception {
    RpcServer server = start(greeter().tls(certificates.mutualServer()));
    Certificates others = Certificates.in(directory);

    refused(
        server,
        to(server).tls(certificates.client().presenting(others.clientChain, others.clientKey)),
        "the server rejected the client's certificate, alert ");
  }

  @Test
  void serverOfAnotherAuthorityIsRefused(@TempDir Path directory) throws Exception {
    RpcServer server = start(greeter().tls(certificates.server()));

    refused(
        server,
        to(server).tls(Certificates.in(directory).client()),
        "the server's certificate is not signed by a trusted authority: ",
        "unable to find valid certification path");
    refused(
        server,
        to(server).tls(Tls.client()),
        "the server's certificate is not signed by a trusted authority: ");
  }

  @Test
  void serverOfAnotherNameIsRefused(@TempDir Path directory) throws Exception {
    Certificates others = Certificates.in(directory);
    others.renewServer(Certificates.ofServer("elsewhere.test"));
    RpcServer server = start(greeter().tls(others.server()));

    refused(
        server,
        to(server).tls(others.client()),
        "the server's certificate does not match the host name: ",
        "localhost");
    refused(
        server,
        to(server).tls(certificates.client().withoutHostNameVerification()),
        "the server's certificate is not signed by a trusted authority: ");
    RpcChannel channel =
        closing(to(server).tls(others.client().withoutHostNameVerification()).connect());
    assertThat(greeting(channel)).isEqualTo("Hello, world!");
  }

  @Test
  void serverWhoseCertificateHasExpiredIsRefused(@TempDir Path directory) throws Exception {
    Certificates others = Certificates.in(directory);
    others.renewServer(Certificates.ofServer("localhost")
        .notBefore(Instant.now().minus(Duration.ofDays(3)))
        .notAfter(Instant.now().minus(Duration.ofDays(1))));
    RpcServer server = start(greeter().tls(others.server()));

    refused(
        server,
        to(server).tls(others.client()),
        "the server's certificate has expired: NotAfter: ");
  }

  @Test
  void tlsOnOneSideOnlyIsSaidSo() throws Exception {
    RpcServer plain = start(greeter());
    RpcServer secured = start(greeter().tls(certificates.server()));

    refused(
        plain,
        to(plain).tls(certificates.client()),
        "the server does not use TLS (expected: a server with TLS, or no tls on the channel)");
    refused(secured, to(secured), "the server ", "(expected: tls on the channel");
  }

  /** As other servers do, while gRPC's own just closes the connection. */
  @Test
  void serverThatAnswersWithAnAlertSpeaksTls() throws Exception {
    try (ServerSocket server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress())) {
      Threads.run(() -> {
        while (!server.isClosed()) {
          try (Socket accepted = server.accept()) {
            // Fatal: unexpected_message.
            accepted.getOutputStream().write(HexFormat.of().parseHex("1503030002020a"));
            accepted.getOutputStream().write(new byte[64]);
            accepted.getInputStream().transferTo(OutputStream.nullOutputStream());
          } catch (IOException gone) {
            // The client has closed the connection, or the test the socket.
          }
        }
      });
      RpcChannelBuilder plain = RpcChannel.builder().target("localhost:" + server.getLocalPort());

      assertThatExceptionOfType(ConnectException.class)
          .isThrownBy(plain::connect)
          .withMessage("cannot connect to localhost:" + server.getLocalPort()
              + ": the server uses TLS (expected: tls on the channel)");
      RpcChannel channel = closing(plain.build());
      assertThat(text(failure(() -> greeting(channel))))
          .startsWith("UNAVAILABLE: the server uses TLS (expected: tls on the channel)");
    }
  }

  @Test
  void statusOfTheServiceIsNotReworded() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .addService(TestService.unary((request, replies) -> replies.onError(Status.UNAVAILABLE
            .withDescription("backend: Connection reset")
            .asRuntimeException()))));
    RpcChannel channel = closing(to(server).build());

    assertThat(text(failure(() -> call(channel))))
        .isEqualTo("UNAVAILABLE: backend: Connection reset");
  }

  /** A ClientHello as of TLS 1.1, with a cipher suite of its time. */
  @Test
  void olderProtocolsAreRefused() throws Exception {
    RpcServer server = start(greeter().tls(certificates.server()));
    byte[] hello = HexFormat.of()
        .parseHex("16 0302 0035 01 000031 0302".replace(" ", "")
            + "00".repeat(32)
            + "00 0002 c009 01 00 0006 000a 0002 0017".replace(" ", ""));
    // The lengths as they are.
    hello[4] = (byte) (hello.length - 5);
    hello[8] = (byte) (hello.length - 9);
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
      socket.setSoTimeout(20_000);
      socket.getOutputStream().write(hello);

      // A fatal alert: protocol_version.
      assertThat(socket.getInputStream().readNBytes(7)).endsWith(2, 70).startsWith(21, 3);
    }
    for (Tls tls : new Tls[] {certificates.server(), certificates.client()}) {
      assertThat(RpcTls.read(tls, new LongAdder())
              .newest()
              .newEngine(UnpooledByteBufAllocator.DEFAULT)
              .getEnabledProtocols())
          .containsExactlyInAnyOrder("TLSv1.3", "TLSv1.2");
    }
  }

  @Test
  void http2IsAgreedOnByAlpn() throws Exception {
    RpcServer server = start(greeter().tls(certificates.server()));
    SslContext client = RpcTls.read(certificates.client(), new LongAdder()).newest();

    assertThat(client.applicationProtocolNegotiator().protocols()).containsExactly("h2");
    assertThat(negotiated(server, "h2", "http/1.1")).isEqualTo("h2");
  }

  private static String negotiated(RpcServer server, String... protocols) throws Exception {
    javax.net.ssl.SSLContext context = javax.net.ssl.SSLContext.getInstance("TLS");
    context.init(
        null,
        new javax.net.ssl.TrustManager[] {
          io.grpc.util.AdvancedTlsX509TrustManager.newBuilder()
              .setVerification(
                  io.grpc.util.AdvancedTlsX509TrustManager.Verification
                      .INSECURELY_SKIP_ALL_VERIFICATION)
              .build()
        },
        null);
    try (SSLSocket socket =
        (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", server.port())) {
      socket.setSoTimeout(20_000);
      var parameters = socket.getSSLParameters();
      parameters.setApplicationProtocols(protocols);
      socket.setSSLParameters(parameters);
      socket.startHandshake();
      return socket.getApplicationProtocol();
    }
  }

  @Test
  void nameOfEachOfSeveralServersIsVerified(@TempDir Path one, @TempDir Path two) throws Exception {
    RpcServer first = start(named("first").tls(certificates.server()));
    Certificates others = Certificates.in(two);
    others.renewServer(Certificates.ofServer("other.test").addSanIpAddress("127.0.0.2"));
    RpcServer second = start(named("second").host("127.0.0.2").tls(others.server()));
    RpcServer third = start(named("third").host("127.0.0.3").tls(others.server()));
    Path both = others.write(
        "both.pem",
        java.nio.file.Files.readString(certificates.authorities)
            + java.nio.file.Files.readString(others.authorities));

    RpcChannel channel = closing(RpcChannel.builder()
        .address("localhost", first.port())
        .address("127.0.0.2", second.port())
        .address("127.0.0.3", third.port())
        .tls(Tls.client().trusting(both))
        .connect());

    Set<String> answers = new HashSet<>();
    Await.until("both have answered", () -> {
      answers.add(greeting(channel));
      return answers.containsAll(Set.of("first", "second"));
    });
    for (int i = 0; i < 20; i++) {
      answers.add(greeting(channel));
    }
    // Its certificate is not for 127.0.0.3.
    assertThat(answers).doesNotContain("third");
    assertThat(third.counters().connectionsOpened()).isZero();
  }

  private static RpcServerBuilder named(String name) {
    return RpcServer.builder().addService(GreeterService.greeting(called -> name));
  }

  @Test
  void handshakeThatDoesNotComeHoldsUpNobody() throws IOException {
    RpcServer server = start(greeter().tls(certificates.server()));
    try (Socket silent = new Socket()) {
      silent.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port()));
      RpcChannel channel = closing(to(server).tls(certificates.client()).build());

      assertThat(greeting(channel)).isEqualTo("Hello, world!");
    }
  }
}
