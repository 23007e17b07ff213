package dev.mullion.framing.tcp;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.mullion.framing.testing.Certificates;
import dev.mullion.net.Tls;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeTimeoutException;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.CertificateBuilder.Algorithm;
import io.netty.pkitesting.X509Bundle;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Handshakes over real sockets. */
@Timeout(60)
class TlsHandshakeTest {
  @TempDir
  Path directory;

  private final EventLoopGroup group =
      new MultiThreadIoEventLoopGroup(1, Transport.NIO.parts().ioHandlers());

  /** How the handshake of the one connection ended on the server, which echoes. */
  private final CompletableFuture<SSLSession> accepted = new CompletableFuture<>();

  private Certificates known;

  @BeforeEach
  void makeCertificates() throws Exception {
    known = Certificates.in(directory.resolve("known"));
  }

  @AfterEach
  void end() throws Exception {
    group.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
  }

  @ParameterizedTest
  @ValueSource(strings = {"localhost", "127.0.0.1"})
  void hostOfTheCertificate(String host) throws Exception {
    Peer peer = connect(known.client(), serve(known.server()), host);

    assertThat(peer.session().getProtocol()).isEqualTo("TLSv1.3");
    assertThat(peer.session().getPeerPrincipal()).hasToString("CN=server");
    assertThat(peer.echo("hello")).isEqualTo("hello");
  }

  @ParameterizedTest
  @EnumSource(names = {"rsa2048", "rsa3072", "ecp384", "ed25519"})
  void keyOfEachType(Algorithm algorithm) throws Exception {
    X509Bundle server = known.issue(new CertificateBuilder()
        .algorithm(algorithm)
        .subject("CN=" + algorithm)
        .addSanDnsName("localhost"));
    Tls tls = Tls.server(
        known.write("other.pem", server.getCertificatePathPEM()),
        known.write("other.key", server.getPrivateKeyPEM()));

    Peer peer = connect(known.client(), serve(tls), "localhost");

    assertThat(peer.session().getPeerPrincipal()).hasToString("CN=" + algorithm);
    assertThat(peer.echo("hello")).isEqualTo("hello");
  }

  @Test
  void anotherHostIsRefused() throws Exception {
    Throwable failure = refused(known.client(), serve(known.server()), "other.example");

    assertThat(failure).isInstanceOf(SSLHandshakeException.class);
    assertThat(failure)
        .hasRootCauseMessage("No subject alternative DNS name matching other.example found.");
    assertThat(serverFailure()).isInstanceOf(SSLException.class);
  }

  @Test
  void anotherHostWithoutHostNameVerification() throws Exception {
    Tls client = known.client().withoutHostNameVerification();

    Peer peer = connect(client, serve(known.server()), "other.example");

    assertThat(peer.echo("hello")).isEqualTo("hello");
  }

  @Test
  void unknownAuthorityIsRefused() throws Exception {
    Certificates other = Certificates.in(directory.resolve("other"));

    Throwable failure = refused(other.client(), serve(known.server()), "localhost");

    assertThat(failure).isInstanceOf(SSLHandshakeException.class);
    assertThat(failure).hasMessageContaining("PKIX path building failed");
    assertThat(serverFailure()).isInstanceOf(SSLException.class);
  }

  @Test
  void authoritiesOfTheJdkDoNotKnowOurs() throws Exception {
    Throwable failure = refused(Tls.client(), serve(known.server()), "localhost");

    assertThat(failure).hasMessageContaining("PKIX path building failed");
  }

  @Test
  void unknownAuthorityIsRefusedWithoutHostNameVerificationToo() throws Exception {
    Tls client = Tls.client().withoutHostNameVerification();

    assertThat(refused(client, serve(known.server()), "localhost"))
        .hasMessageContaining("PKIX path building failed");
  }

  @Test
  void certificatesOfBothSides() throws Exception {
    Peer peer = connect(known.mutualClient(), serve(known.mutualServer()), "localhost");

    assertThat(peer.echo("hello")).isEqualTo("hello");
    assertThat(accepted.get(20, TimeUnit.SECONDS).getPeerPrincipal()).hasToString("CN=client");
  }

  /** With TLS 1.3 the client has finished its handshake when the server refuses it. */
  @Test
  void missingClientCertificateIsRefused() throws Exception {
    Peer peer = connect(known.client(), serve(known.mutualServer()), "localhost");

    assertThat(serverFailure())
        .isInstanceOf(SSLHandshakeException.class)
        .hasMessageContaining("Empty client certificate chain");
    assertThat(catchThrowable(() -> peer.echo("hello"))).isNotNull();
  }

  @Test
  void clientCertificateOfAnotherAuthorityIsRefused() throws Exception {
    Certificates other = Certificates.in(directory.resolve("other"));
    Tls client = known.client().presenting(other.clientChain, other.clientKey);

    Peer peer = connect(client, serve(known.mutualServer()), "localhost");

    // The client does not even show it, since the server names the authorities that it trusts.
    assertThat(serverFailure()).isInstanceOf(SSLHandshakeException.class);
    assertThat(catchThrowable(() -> peer.echo("hello"))).isNotNull();
  }

  @Test
  void certificateOfAServerIsNotAClients() throws Exception {
    Tls client = known.client().presenting(known.serverChain, known.serverKey);

    Peer peer = connect(client, serve(known.mutualServer()), "localhost");

    assertThat(serverFailure()).isInstanceOf(SSLHandshakeException.class);
    assertThat(catchThrowable(() -> peer.echo("hello"))).isNotNull();
  }

  @Test
  void clientCertificateThatIsNotAskedForIsNotShown() throws Exception {
    Peer peer = connect(known.mutualClient(), serve(known.server()), "localhost");

    assertThat(peer.echo("hello")).isEqualTo("hello");
    SSLSession session = accepted.get(20, TimeUnit.SECONDS);
    assertThat(catchThrowable(session::getPeerPrincipal))
        .isInstanceOf(SSLPeerUnverifiedException.class);
  }

  @Test
  void certificateThatHasExpiredIsRefused() throws Exception {
    X509Bundle expired = known.issue(new CertificateBuilder()
        .ecp256()
        .subject("CN=expired")
        .addSanDnsName("localhost")
        .notBefore(Instant.parse("2020-01-01T00:00:00Z"))
        .notAfter(Instant.parse("2020-02-01T00:00:00Z")));
    Tls server = Tls.server(
        known.write("expired.pem", expired.getCertificatePathPEM()),
        known.write("expired.key", expired.getPrivateKeyPEM()));

    assertThat(refused(known.client(), serve(server), "localhost"))
        .isInstanceOf(SSLHandshakeException.class)
        .rootCause()
        .hasMessageStartingWith("NotAfter: ");
  }

  /** A client's hello as bytes, since the JDK would not send one. */
  @Test
  void tls11IsRefused() throws Exception {
    int port = serve(known.server());
    String random = "00".repeat(32);
    String hello = "0302" + random + "00" // version TLS 1.1, random, no session
        + "0004" + "C013" + "C009" // ECDHE with RSA or ECDSA, AES 128 CBC
        + "0100" // no compression
        + "000E" + "000A00040002" + "0017" + "000B00020100"; // groups: P-256, points: plain

    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      socket.setSoTimeout(20_000);
      byte[] message = bytes("010000" + size(hello) + hello);
      socket.getOutputStream().write(bytes("160301" + "00" + size(hex(message)) + hex(message)));

      // An alert, fatal, protocol_version; then the end.
      byte[] reply = socket.getInputStream().readAllBytes();
      assertThat(hex(reply)).matches("1503(02|03)" + "0002" + "0246");
    }
    assertThat(serverFailure())
        .isInstanceOf(SSLHandshakeException.class)
        .hasMessageContaining("TLSv1.1");
  }

  private static byte[] bytes(String hex) {
    return HexFormat.of().parseHex(hex);
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().withUpperCase().formatHex(bytes);
  }

  private static String size(String hex) {
    return String.format("%02X", hex.length() / 2);
  }

  @Test
  void tls12IsSpoken() throws Exception {
    Tls old = Tls.of(SslContextBuilder.forClient()
        .trustManager(known.authorities.toFile())
        .protocols("TLSv1.2")
        .build());

    Peer peer = connect(old, serve(known.server()), "localhost");

    assertThat(peer.session().getProtocol()).isEqualTo("TLSv1.2");
    assertThat(peer.echo("hello")).isEqualTo("hello");
  }

  @Test
  void peerThatSaysNothingIsClosed() throws Exception {
    int port = serve(known.server().handshakeTimeout(Duration.ofMillis(50)));

    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      socket.setSoTimeout(20_000);
      assertThat(socket.getInputStream().readAllBytes()).isEmpty();
    }
    assertThat(serverFailure()).isInstanceOf(SslHandshakeTimeoutException.class);
  }

  private int serve(Tls tls) throws Exception {
    TlsContext context = requireNonNull(TlsContext.of(tls, new TcpCounters()));
    Channel channel = new ServerBootstrap()
        .group(group)
        .channel(Transport.NIO.parts().serverChannel())
        .childHandler(new ChannelInitializer<Channel>() {
          @Override
          protected void initChannel(Channel connection) {
            SslHandler handler = context.newHandler(connection.alloc(), null, 0);
            report(handler, accepted);
            connection.pipeline().addLast(handler, new Echo());
          }
        })
        .bind("127.0.0.1", 0)
        .sync()
        .channel();
    return ((InetSocketAddress) channel.localAddress()).getPort();
  }

  private Throwable serverFailure() throws Exception {
    return failure(accepted);
  }

  /** The host is what is asked for; the connection goes to this machine. */
  private Peer connect(Tls tls, int port, String host) throws Exception {
    Peer peer = start(tls, port, host);
    peer.session();
    return peer;
  }

  private Throwable refused(Tls tls, int port, String host) throws Exception {
    return failure(start(tls, port, host).replies.handshake);
  }

  private Peer start(Tls tls, int port, String host) throws Exception {
    TlsContext context = requireNonNull(TlsContext.of(tls, new TcpCounters()));
    Replies replies = new Replies();
    Channel channel = new Bootstrap()
        .group(group)
        .channel(Transport.NIO.parts().channel())
        .handler(new ChannelInitializer<Channel>() {
          @Override
          protected void initChannel(Channel connection) {
            SslHandler handler = context.newHandler(connection.alloc(), host, port);
            report(handler, replies.handshake);
            connection.pipeline().addLast(handler, replies);
          }
        })
        .connect("127.0.0.1", port)
        .sync()
        .channel();
    return new Peer(channel, replies);
  }

  private static void report(SslHandler handler, CompletableFuture<SSLSession> end) {
    handler.handshakeFuture().addListener(done -> {
      if (done.isSuccess()) {
        end.complete(handler.engine().getSession());
      } else {
        end.completeExceptionally(done.cause());
      }
    });
  }

  private static Throwable failure(Future<?> handshake) throws Exception {
    Throwable failure = catchThrowable(() -> handshake.get(20, TimeUnit.SECONDS));
    assertThat(failure).isExactlyInstanceOf(ExecutionException.class);
    return requireNonNull(failure.getCause());
  }

  private record Peer(Channel channel, Replies replies) {
    SSLSession session() throws Exception {
      return replies.handshake.get(20, TimeUnit.SECONDS);
    }

    String echo(String text) throws Exception {
      channel.writeAndFlush(Unpooled.copiedBuffer(text, US_ASCII)).sync();
      return replies.reply.get(20, TimeUnit.SECONDS);
    }
  }

  private static final class Replies extends SimpleChannelInboundHandler<ByteBuf> {
    final CompletableFuture<SSLSession> handshake = new CompletableFuture<>();
    final CompletableFuture<String> reply = new CompletableFuture<>();

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
      reply.complete(msg.toString(US_ASCII));
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
      reply.completeExceptionally(cause);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
      reply.completeExceptionally(new ClosedChannelException());
    }
  }

  private static final class Echo extends SimpleChannelInboundHandler<ByteBuf> {
    @Override
    protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
      ctx.writeAndFlush(msg.retain());
    }

    /** The handshake's future tells the test of it. */
    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
      ctx.close();
    }
  }
}
