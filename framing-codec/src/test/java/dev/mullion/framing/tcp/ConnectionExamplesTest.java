package dev.mullion.framing.tcp;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FrameDecoder;
import dev.mullion.framing.FrameEncoder;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramingException;
import dev.mullion.net.Tls;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** The Javadoc's examples of servers, clients and connections, in the same words. */
class ConnectionExamplesTest {
  private byte @Nullable [] handled;

  private static final ConnectionHandler LAMBDA =
      // It is a lambda as it stands in a call.
      connection -> {
        for (byte[] frame : connection) {
          connection.send(frame);
        }
      };

  /** The batch handler's example. */
  private static final class Replies implements BatchHandler {
    @Override
    public void frames(FramedConnection connection, FrameBatch batch) {
      for (int i = 0; i < batch.size(); i++) {
        connection.reply(batch.buffer(), batch.offset(i), batch.length(i));
      }
    }
  }

  private static FramedServer server(int port) throws IOException {
    FramedServer server = FramedServer.builder()
        .port(port)
        .handler(connection -> {
          for (byte[] frame : connection) {
            connection.send(frame);
          }
        })
        .start();
    return server;
  }

  private void client(int port) throws IOException {
    try (FramedClient client = FramedClient.connect("127.0.0.1", port)) {
      client.connection().send("hello".getBytes(UTF_8));
      handle(client.connection().receive());
    }
  }

  private void handle(byte @Nullable [] frame) {
    handled = frame;
  }

  private static CompletableFuture<byte[]> request(FramedClient client) {
    CompletableFuture<byte[]> reply = client.request("hello".getBytes(UTF_8));
    return reply;
  }

  @Test
  void tlsSettingsAreReadWhenTheyAreUsed() {
    Tls server = Tls.server(Path.of("server.pem"), Path.of("server.key"));
    Tls client = Tls.client().trusting(Path.of("authorities.pem"));
    // mutual: the server requires a certificate, and the client presents one
    Tls strict = server.trusting(Path.of("authorities.pem"));
    Tls known = client.presenting(Path.of("client.pem"), Path.of("client.key"));

    assertThatThrownBy(() -> FramedServer.builder().handler(LAMBDA).tls(strict).start())
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("certificateChain: server.pem cannot be read");
    assertThatThrownBy(() -> FramedClient.builder().port(1).tls(known).connect())
        .isInstanceOf(IOException.class)
        .hasMessageContaining(" cannot be read");
    assertThatThrownBy(() -> FramedClient.builder().port(1).tls(server).connect())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("tls: server settings (expected: client settings)");
  }

  private final MeterRegistry registry = new SimpleMeterRegistry();

  @Test
  void countersAreMetersUntilTheStop() throws IOException {
    ConnectionHandler echo = LAMBDA;
    FramedServer server = FramedServer.builder()
        .handler(echo)
        .observe(MicrometerMetrics.of(registry))
        .start();
    assertThat(registry.get("mullion.tcp.connections.open").gauge().value()).isZero();
    server.close();
    assertThat(registry.getMeters()).isEmpty();
  }

  private static ByteBuf encode(ByteBufAllocator allocator) throws FramingException {
    FrameEncoder encoder = FrameEncoder.of(FrameFormat.defaults());
    ByteBuf out = allocator.buffer();
    encoder.encode("hello".getBytes(UTF_8), out);
    encoder.encode("world".getBytes(UTF_8), out);
    return out;
  }

  private void decode(FrameDecoder decoder, ByteBuf bytes) throws FramingException {
    decoder.add(bytes);
    byte[] frame;
    while ((frame = decoder.next()) != null) {
      handle(frame);
    }
  }

  @Test
  void whatWasEncodedIsDecoded() throws FramingException {
    try (FrameDecoder decoder = FrameDecoder.of(FrameFormat.defaults())) {
      decode(decoder, encode(UnpooledByteBufAllocator.DEFAULT));
    }
    assertThat(handled).asString(UTF_8).isEqualTo("world");
  }

  @Test
  void serverAnswersClient() throws Exception {
    try (FramedServer server = server(0)) {
      client(server.port());
    }
    assertThat(handled).asString(UTF_8).isEqualTo("hello");
  }

  @Test
  void handlersAnswerRequests() throws Exception {
    try (FramedServer lambda = FramedServer.builder().handler(LAMBDA).start();
        FramedServer replies = FramedServer.builder().batchHandler(Replies::new).start();
        FramedClient first = FramedClient.connect("127.0.0.1", lambda.port());
        FramedClient second = FramedClient.connect("127.0.0.1", replies.port())) {
      assertThat(request(first).get(20, TimeUnit.SECONDS)).asString(UTF_8).isEqualTo("hello");
      assertThat(request(second).get(20, TimeUnit.SECONDS)).asString(UTF_8).isEqualTo("hello");
    }
  }
}
