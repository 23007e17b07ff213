package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.CorruptFrameException;
import dev.mullion.framing.EncodedFrames;
import dev.mullion.framing.FrameDecoder;
import dev.mullion.framing.FrameEncoder;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.testing.OneByteLength;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A buffer that is handed over is released, in whatever way the method that takes it over fails.
 */
@Timeout(60)
class BufferOwnershipTest {
  private static final FrameFormat FORMAT =
      FrameFormat.builder().maxFrameLength(10_000).build();

  /** A method that takes over a buffer. */
  private interface Taker {
    void take(FramedConnection connection, ByteBuf buffer) throws Exception;
  }

  private record Thrower() implements OneByteLength {
    @Override
    public long maxValue() {
      return 100_000;
    }

    @Override
    public long read(ByteBuffer in) throws CorruptFrameException {
      throw new CorruptFrameException("read by the test");
    }

    @Override
    public void write(long value, ByteBuffer out) {
      throw new IllegalStateException("thrown by the test");
    }
  }

  private static Stream<Arguments> sending(String state, int length) {
    return Stream.of(
        Arguments.of("send, " + state, length, (Taker) FramedConnection::send),
        Arguments.of("trySend, " + state, length, (Taker) FramedConnection::trySend),
        Arguments.of("sendAsync, " + state, length, (Taker) (connection, buffer) -> {
          try {
            connection.sendAsync(buffer).get(20, TimeUnit.SECONDS);
          } catch (ExecutionException e) {
            throw (Exception) e.getCause();
          }
        }));
  }

  static Stream<Arguments> failingCalls() {
    Stream<Arguments> others = Stream.of(
        Arguments.of("send, interrupted", 100, (Taker) (connection, buffer) -> {
          Thread.currentThread().interrupt();
          try {
            connection.send(buffer);
          } finally {
            assertThat(Thread.interrupted()).isTrue();
          }
        }),
        Arguments.of("reply on a wrong thread", 100, (Taker)
            (connection, buffer) -> connection.reply(new EncodedFrames(buffer, 1))),
        Arguments.of("EncodedFrames of a size below 0", 100, (Taker)
            (connection, buffer) -> new EncodedFrames(buffer, -1).release()),
        Arguments.of("FrameEncoder, too large", 10_001, (Taker) (connection, buffer) ->
            FrameEncoder.of(FORMAT).encode(buffer, ByteBufAllocator.DEFAULT)),
        Arguments.of("FrameDecoder, ended", 100, (Taker) (connection, buffer) -> {
          try (FrameDecoder decoder = FrameDecoder.of(FORMAT)) {
            decoder.end();
            decoder.add(buffer);
          }
        }),
        Arguments.of("FrameDecoder, closed", 100, (Taker) (connection, buffer) -> {
          FrameDecoder decoder = FrameDecoder.of(FORMAT);
          decoder.close();
          decoder.add(buffer);
        }));
    return Stream.of(
            others,
            sending("too large", 10_001),
            sending("closed", 100),
            sending("closed, long", 9000),
            sending("length encoding throws", 100),
            sending("length encoding throws, long", 9000))
        .flatMap(all -> all);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("failingCalls")
  void bufferIsReleased(String name, int length, Taker taker) throws Exception {
    FrameFormat format = name.contains("throws")
        ? FrameFormat.builder()
            .lengthEncoding(new Thrower())
            .maxFrameLength(10_000)
            .build()
        : FORMAT;
    try (ScriptedServer server = ScriptedServer.start(ScriptedServer::keep);
        FramedClient client =
            FramedClient.builder().port(server.port()).format(format).connect()) {
      FramedConnection connection = client.connection();
      if (name.contains("closed")) {
        connection.close();
      }
      ByteBuf buffer = Unpooled.buffer(length).writeZero(length);

      assertThatThrownBy(() -> taker.take(connection, buffer))
          .isInstanceOfAny(
              IOException.class, IllegalStateException.class, IllegalArgumentException.class);

      assertThat(buffer.refCnt()).isZero();
    }
  }
}
