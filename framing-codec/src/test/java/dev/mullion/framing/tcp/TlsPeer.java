package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.net.Tls;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.SSLException;

/**
 * A server, and a client, for a peer over TLS that is not Java; {@code .ci/run} starts them.
 *
 * <pre>
 *  certificates DIRECTORY               makes what the others use, of an authority and of another
 *  serve DIRECTORY tls|mutual           echoes until it is ended
 *  connect DIRECTORY tls|mutual PORT    checks an echo server
 * </pre>
 */
final class TlsPeer {
  private final Path ours;
  private final Path others;
  private final boolean mutual;

  private TlsPeer(Path directory, boolean mutual) {
    ours = directory.resolve("ours");
    others = directory.resolve("others");
    this.mutual = mutual;
  }

  public static void main(String[] args) throws Exception {
    TlsPeer peer = new TlsPeer(Path.of(args[1]), args.length > 2 && args[2].equals("mutual"));
    switch (args[0]) {
      case "certificates" -> peer.makeCertificates();
      case "serve" -> peer.serve();
      case "connect" -> peer.check(Integer.parseInt(args[3]));
      default -> throw new IllegalArgumentException(args[0]);
    }
  }

  private void makeCertificates() throws Exception {
    Certificates.in(ours);
    Certificates.in(others);
  }

  private void serve() throws Exception {
    Tls tls = Tls.server(ours.resolve("server.pem"), ours.resolve("server.key"));
    FramedServer server =
        Way.BLOCKING.echo().tls(mutual ? trusting(tls, ours) : tls).start();
    Runtime.getRuntime().addShutdownHook(new Thread(server::close));
    System.out.println("listening on 127.0.0.1:" + server.port());
    server.awaitTermination();
  }

  private void check(int port) throws Exception {
    Tls known = trusting(Tls.client(), ours);
    checkEchoes(port, mutual ? presenting(known, ours) : known);
    assertThatThrownBy(() -> connect(port, trusting(Tls.client(), others)))
        .hasRootCauseInstanceOf(GeneralSecurityException.class);
    System.out.println("a server of another authority was refused");
    if (mutual) {
      expectRefused(port, known);
      expectRefused(port, presenting(known, others));
      System.out.println("clients without a certificate, or of another authority, were refused");
    }
  }

  private static Tls trusting(Tls tls, Path authority) {
    return tls.trusting(authority.resolve("authorities.pem"));
  }

  private static Tls presenting(Tls tls, Path authority) {
    return tls.presenting(authority.resolve("client.pem"), authority.resolve("client.key"));
  }

  private static FramedClient connect(int port, Tls tls) throws IOException {
    return FramedClient.builder().host("localhost").port(port).tls(tls).connect();
  }

  private static void checkEchoes(int port, Tls tls) throws Exception {
    try (FramedClient client = connect(port, tls)) {
      for (int length : new int[] {0, 1, 16_384, 65_536, 1 << 20, 8 << 20}) {
        byte[] frame = EchoServers.random(length, length);
        assertThat(client.request(frame).get()).isEqualTo(frame);
      }
      List<CompletableFuture<byte[]>> replies = new ArrayList<>();
      for (int i = 0; i < 1000; i++) {
        replies.add(client.request(EchoServers.random(i % 300, i)));
      }
      for (int i = 0; i < 1000; i++) {
        assertThat(replies.get(i).get()).isEqualTo(EchoServers.random(i % 300, i));
      }
      System.out.println("short and long frames came back");
    }
  }

  /** With TLS 1.3 the client's side is there before the server has refused it. */
  private static void expectRefused(int port, Tls tls) {
    assertThatThrownBy(() -> {
          try (FramedClient client = connect(port, tls)) {
            client.connection().receive(Duration.ofSeconds(20));
          }
        })
        .isInstanceOf(IOException.class)
        .hasRootCauseInstanceOf(SSLException.class);
  }
}
