package dev.mullion.framing.tcp;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameReader;
import dev.mullion.framing.FramingException;
import dev.mullion.framing.LengthEncoding;
import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** TLS on one side only: both sides say what is likely wrong, and with whom. */
@Timeout(60)
class TlsMismatchTest {
  private static final String HINT = "; the first bytes look like TLS: the peer may use TLS while"
      + " this side does not (setting: tls)";

  private static final byte[] GREETING = "220 hello\r\n".getBytes(US_ASCII);

  private static Certificates certificates;

  @BeforeAll
  static void makeCertificates(@TempDir Path directory) throws Exception {
    certificates = Certificates.in(directory);
  }

  @ParameterizedTest
  @EnumSource
  void plainServerAndTlsClient(Way way) throws Exception {
    try (FramedServers.Log log = new FramedServers.Log();
        FramedServer server = way.echo().start()) {
      assertThatThrownBy(() -> FramedClient.builder()
              .port(server.port())
              .tls(certificates.client())
              .connect())
          .isInstanceOf(IOException.class)
          .hasMessageStartingWith("cannot connect to 127.0.0.1:" + server.port() + ": ")
          .hasMessageContaining(Ending.ENDED_IN_HANDSHAKE);
      Await.until("the server has logged it", () -> !log.records.isEmpty());
      assertThat(log.records.get(0))
          .matches("INFO frame length 36929\\d+ exceeds maxFrameLength 8388608 \\(peer"
              + " /127.0.0.1:\\d+, frame 1\\)" + java.util.regex.Pattern.quote(HINT));
    }
  }

  /** Netty's text had all that had come, as hex. */
  @Test
  void tlsServerAndPlainClient() throws Exception {
    try (FramedServers.Log log = new FramedServers.Log();
        FramedServer server = Way.BLOCKING.echo().tls(certificates.server()).start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      FramedConnection connection = client.connection();
      connection.send(new byte[1000]);
      Throwable seen = catchThrowable(connection::receive);
      if (seen != null) {
        assertThat(seen).hasMessageContaining(HINT).hasMessageContaining("peer 127.0.0.1");
      }
      Await.until("the server has logged it", () -> !log.records.isEmpty());
      assertThat(log.records)
          .contains("INFO TLS failed: the peer does not use TLS, it sent 000003e8"
              + "00".repeat(28) + " (expected: a TLS record, or no tls) (peer "
              + connection.localAddress() + ")");
    }
  }

  @Test
  void requestOfAPlainClientToATlsServer() throws Exception {
    try (FramedServer server = Way.BLOCKING.echo().tls(certificates.server()).start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      // A reset says that itself.
      assertThatThrownBy(() -> client.request(new byte[10]).get(20, TimeUnit.SECONDS))
          .hasMessageContaining("peer 127.0.0.1")
          .hasMessageMatching("(?s).*(may require TLS|reset).*");
    }
  }

  @Test
  void tlsServerAndClientThatSaysNothing() throws Exception {
    try (FramedServers.Log log = new FramedServers.Log();
        FramedServer server = Way.BLOCKING
            .echo()
            .tls(certificates.server().handshakeTimeout(Duration.ofMillis(50)))
            .start();
        Socket silent = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
      Await.until("the server has logged it", () -> !log.records.isEmpty());
      assertThat(log.records)
          .contains("INFO TLS failed: handshake timed out after 50ms (handshakeTimeout): the peer"
              + " may not use TLS (peer /127.0.0.1:" + silent.getLocalPort()
              + ")");
    }
  }

  @Test
  void plainServerThatGreetsATlsClient() throws Exception {
    try (ScriptedServer server =
        ScriptedServer.start((socket, number) -> socket.getOutputStream().write(GREETING))) {
      assertThatThrownBy(() -> FramedClient.builder()
              .port(server.port())
              .tls(certificates.client())
              .connect())
          .hasMessage("cannot connect to 127.0.0.1:" + server.port() + ": the peer does not use"
              + " TLS, it sent " + HexFormat.of().formatHex(GREETING)
              + " (expected: a TLS record, or no tls)");
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void serverThatEndsTheConnectionInTheHandshake(boolean withReset) throws Exception {
    try (ScriptedServer server = ScriptedServer.start((socket, number) -> {
      socket.getInputStream().read();
      if (withReset) {
        socket.setSoLinger(true, 0);
      }
      socket.close();
    })) {
      assertThatThrownBy(() -> FramedClient.builder()
              .port(server.port())
              .tls(certificates.client())
              .connect())
          .isInstanceOf(IOException.class)
          .hasMessageStartingWith(
              "cannot connect to 127.0.0.1:" + server.port() + ": " + Ending.ENDED_IN_HANDSHAKE);
    }
  }

  static Stream<FrameFormat> formats() {
    FrameFormat.Builder four = FrameFormat.builder();
    return Stream.of(
        four.build(),
        FrameFormat.builder().lengthFieldLength(2).maxFrameLength(4096).build(),
        FrameFormat.builder().lengthFieldLength(2).maxFrameLength(60_000).build(),
        FrameFormat.builder().lengthFieldLength(3).maxFrameLength(1 << 23).build(),
        FrameFormat.builder().lengthFieldLength(8).build(),
        FrameFormat.builder().byteOrder(ByteOrder.LITTLE_ENDIAN).build(),
        FrameFormat.builder()
            .lengthEncoding(LengthEncoding.varint32())
            .maxFrameLength(200)
            .build());
  }

  /** Whatever the error is. In some formats it comes late. */
  @ParameterizedTest
  @MethodSource("formats")
  void streamThatBeginsLikeTlsIsNamedInItsError(FrameFormat format) {
    for (String hello : new String[] {"160301", "160303", "150303"}) {
      byte[] bytes = HexFormat.of().parseHex(hello + "0040010000fc0303" + "ff".repeat(70));
      assertThatThrownBy(() -> readAll(bytes, format))
          .isInstanceOf(FramingException.class)
          .hasMessageEndingWith(HINT);
    }
  }

  /** It is good in this format, until something else is wrong. */
  @Test
  void framesThatBeginLikeTlsAreGood() throws Exception {
    FrameFormat format =
        FrameFormat.builder().lengthFieldLength(1).maxFrameLength(255).build();
    byte[] frame = HexFormat.of().parseHex("160301" + "00".repeat(20));
    readAll(frame, format);
  }

  @ParameterizedTest
  @ValueSource(strings = {"170303ffffff", "160203ffffff", "160305ffffff", "1603", "ffffffff"})
  void otherBytesAreNotNamedTls(String bytes) {
    assertThatThrownBy(() -> readAll(HexFormat.of().parseHex(bytes), FrameFormat.defaults()))
        .isInstanceOf(FramingException.class)
        .message()
        .endsWith(")")
        .doesNotContain("TLS");
  }

  private static void readAll(byte[] bytes, FrameFormat format) throws IOException {
    FrameReader reader = FrameReader.of(new ByteArrayInputStream(bytes), format);
    while (reader.read() != null) {
      // The next one may be wrong.
    }
  }
}
