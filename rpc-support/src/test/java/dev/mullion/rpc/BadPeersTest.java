package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.mullion.framing.testing.Certificates;
import dev.mullion.framing.testing.Threads;
import dev.mullion.net.Tls;
import dev.mullion.rpc.greeter.GreeterService;
import io.grpc.Status;
import io.grpc.Status.Code;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What calls and {@code connect} say of a place where no gRPC server answers: in plain words, and
 * where it is. Of some it was "io exception", "http2 exception", or a deadline that had passed.
 */
class BadPeersTest extends RpcTest {
  private static final String CLOSED = "the server closed the connection before any answer"
      + " (expected: tls on the channel if the server uses TLS, otherwise a gRPC server)";
  private static final String NO_TLS =
      "the server does not use TLS (expected: a server with TLS, or no tls on the channel)";
  private static final String SILENT = "no answer within connectTimeout PT1S";
  private static final int HEADERS = 1;
  private static final String HTTP1 = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

  /**
   * What a peer says to whoever connects, and what is said of it to a channel without TLS or with
   * it.
   */
  private enum Peer {
    SPEAKS_HTTP1(
        HTTP1, false, "the server uses HTTP/1 (expected: gRPC, which needs HTTP/2)", NO_TLS),
    ANSWERS_WITH_A_TLS_ALERT(
        "\25\3\3\0\2\2\12",
        false,
        "the server uses TLS (expected: tls on the channel)",
        "the server rejected the TLS handshake with alert unexpected_message"),
    SHOWS_A_BANNER(
        "SSH-2.0-OpenSSH_9\r\n",
        false,
        "the server does not speak HTTP/2 (expected: gRPC), its first bytes are 5353482d32",
        NO_TLS),
    SENDS_FRAMES(
        "\0\0\0\5hello",
        false,
        "the server does not speak HTTP/2 (expected: gRPC), its first bytes are 0000000568",
        NO_TLS),
    SAYS_NOTHING("", false, SILENT, SILENT),
    SAYS_TOO_LITTLE("\0\0\1", false, SILENT, SILENT),
    CLOSES_AT_ONCE("", true, CLOSED, "the server closed the connection");

    private final String says;
    private final boolean closes;
    private final String withoutTls;
    private final String withTls;

    Peer(String says, boolean closes, String withoutTls, String withTls) {
      this.says = says;
      this.closes = closes;
      this.withoutTls = withoutTls;
      this.withTls = withTls;
    }
  }

  @TempDir
  Path directory;

  private int listening(Peer peer) throws IOException {
    ServerSocket listening = closing(new ServerSocket(0, 50, InetAddress.getLoopbackAddress()));
    Threads.run(() -> {
      while (!listening.isClosed()) {
        try {
          Socket client = listening.accept();
          Threads.run(() -> talk(client, peer));
        } catch (IOException closed) {
          return;
        }
      }
    });
    return listening.getLocalPort();
  }

  private static void talk(Socket client, Peer peer) {
    try (client) {
      client.getOutputStream().write(peer.says.getBytes(US_ASCII));
      if (!peer.closes) {
        client.getInputStream().transferTo(OutputStream.nullOutputStream());
      }
    } catch (IOException gone) {
      // The client has closed the connection.
    }
  }

  private void assertSaid(RpcChannelBuilder builder, String words, String where) throws Exception {
    builder
        .connectTimeout(Duration.ofSeconds(words.equals(SILENT) ? 1 : 20))
        .closeTimeout(Duration.ZERO);
    RpcChannel channel = closing(builder.build());

    assertThat(text(failure(() -> call(channel))))
        .startsWith("UNAVAILABLE: ")
        .contains(words, where);
    assertThatExceptionOfType(ConnectException.class)
        .isThrownBy(builder::connect)
        .withMessageStartingWith("cannot connect to " + where + ": ")
        .withMessageContaining(words);
  }

  @Test
  void peersThatSpeakNoGrpc() throws Exception {
    Tls tls = Certificates.in(directory).client();
    Threads.forEach(List.of(Peer.values()), peer -> {
      int port = listening(peer);
      Threads.forEach(List.of("without TLS", "with TLS"), how -> {
        RpcChannelBuilder builder = RpcChannel.builder().address("127.0.0.1", port);
        boolean secured = how.equals("with TLS");
        assertSaid(
            secured ? builder.tls(tls) : builder,
            secured ? peer.withTls : peer.withoutTls,
            "127.0.0.1:" + port);
      });
    });
  }

  /** Answers as gRPC does until a call begins, and then not at all. */
  private int crashing() throws IOException {
    ServerSocket listening = closing(new ServerSocket(0, 50, InetAddress.getLoopbackAddress()));
    Threads.run(() -> {
      try (Socket client = listening.accept()) {
        client.getOutputStream().write(new byte[] {0, 0, 0, 4, 0, 0, 0, 0, 0});
        DataInputStream frames = new DataInputStream(client.getInputStream());
        frames.skipNBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".length());
        int type = 0;
        while (type != HEADERS) {
          int lengthAndType = frames.readInt();
          type = lengthAndType & 0xff;
          frames.skipNBytes(5L + (lengthAndType >>> 8));
        }
      } catch (IOException gone) {
        return;
      }
      while (!listening.isClosed()) {
        try (Socket client = listening.accept()) {
          client.setSoLinger(true, 0);
        } catch (IOException closed) {
          return;
        }
      }
    });
    return listening.getLocalPort();
  }

  /** A client was told to use TLS when a server that had answered without it went away. */
  @Test
  void plainServerThatGoesAwayIsNotTakenForOneWithTls() throws Exception {
    RpcChannel channel =
        closing(RpcChannel.builder().address("127.0.0.1", crashing()).connect());

    Status first = failure(() -> call(channel));
    Status second = failure(() -> call(channel));

    // gRPC says UNKNOWN, "channel closed", if it notices the end while it writes.
    assertThat(first.getCode()).isIn(Code.UNAVAILABLE, Code.UNKNOWN);
    assertThat(second.getCode()).isEqualTo(Code.UNAVAILABLE);
    assertThat(text(first) + text(second)).doesNotContainIgnoringCase("tls");
    assertThat(text(second)).contains("the server closed the connection before any answer");
  }

  @Test
  void tlsOnOneSideOnly() throws Exception {
    Certificates certificates = Certificates.in(directory);
    RpcServer plain = start(RpcServer.builder().addService(new GreeterService()));
    RpcServer secured =
        start(RpcServer.builder().addService(new GreeterService()).tls(certificates.server()));

    assertSaid(
        RpcChannel.builder().address("127.0.0.1", plain.port()).tls(certificates.client()),
        NO_TLS,
        "127.0.0.1:" + plain.port());
    assertSaid(
        RpcChannel.builder().address("127.0.0.1", secured.port()),
        "(expected: tls on the channel",
        "127.0.0.1:" + secured.port());
  }

  @Test
  void nobodyThere() throws Exception {
    int port = RpcChannelTest.freePort();
    Path absent = directory.resolve("none.sock");
    Path file = Files.writeString(directory.resolve("file"), "no socket");

    assertSaid(
        RpcChannel.builder().address("127.0.0.1", port), "Connection refused", "127.0.0.1:" + port);
    assertSaid(RpcChannel.builder().path(absent), "No such file or directory", absent.toString());
    assertSaid(RpcChannel.builder().path(file), "Connection refused", file.toString());
  }

  /** Of several, all are named when there are as many reasons. */
  @Test
  void nobodyAtAnyOfSeveralAddresses() throws Exception {
    int port = RpcChannelTest.freePort();
    RpcChannel channel = closing(RpcChannel.builder()
        .address("127.0.0.1", port)
        .address("127.0.0.2", port)
        .build());

    assertThat(text(failure(() -> call(channel))))
        .matches("UNAVAILABLE: cannot connect: Connection refused: .*127\\.0\\.0\\.[12]:" + port);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"localhost/x", "http://localhost", "localhost:80", "a b", "a@b", "a?b", "[::1/x]"})
  void hostsThatAreNone(String host) {
    String expected =
        "host: " + host + " (expected: a name or address, without scheme, port or path)";

    assertThatIllegalArgumentException()
        .isThrownBy(() -> RpcChannel.builder().address(host, 5))
        .withMessage(expected);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> RpcServer.builder().address(host, 5))
        .withMessage(expected);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> RpcServer.builder().host(host))
        .withMessage(expected);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"localhost", "my_host", "127.0.0.1", "::1", "[::1]", "fe80::1%eth0", "::"})
  void hostsThatMayBeSome(String host) {
    assertThat(RpcServer.builder().host(host).address(host, 5)).isNotNull();
    assertThat(RpcChannel.builder().address(host, 5)).isNotNull();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"localhost/x:5", "localhost:5/x", "dns:localhost:5/x", "dns:///localhost:5/x"})
  void targetsWithAPath(String target) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> RpcChannel.builder().target(target))
        .withMessage("target: " + target
            + " (expected: such as localhost:50051 or dns:///host:50051, without a path)");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "localhost:5",
        "localhost",
        "[::1]:5",
        "dns:localhost:5",
        "dns:///localhost:5",
        "dns://8.8.8.8/localhost:5",
        "unix:/a/b",
        "unix:///a/b",
        "xds:///a/b"
      })
  void targetsThatMayBeSome(String target) {
    assertThat(RpcChannel.builder().target(target)).isNotNull();
  }
}
