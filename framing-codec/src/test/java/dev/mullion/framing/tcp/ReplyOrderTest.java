package dev.mullion.framing.tcp;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.EncodedFrames;
import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FrameEncoder;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * That replies are sent from wherever they may be given, and in order with all that is sent
 * otherwise.
 */
@Timeout(60)
class ReplyOrderTest {
  private static final int FRAMES = 6_000;

  /**
   * Sends frames with numbers in all the ways that an event loop has, in calls and in dependents.
   */
  private static final class Mixing implements BatchHandler {
    private final Random random;
    private int number;

    Mixing(long seed) {
      random = new Random(seed);
    }

    @Override
    public void opened(FramedConnection connection) {
      some(connection);
    }

    @Override
    public void frames(FramedConnection connection, FrameBatch batch) {
      for (int i = 0; i < batch.size(); i++) {
        some(connection);
      }
    }

    private void some(FramedConnection connection) {
      for (int i = random.nextInt(6); i >= 0 && number < FRAMES; i--) {
        byte[] frame = ByteBuffer.allocate(random.nextInt(20) == 0 ? 6000 : 4 + random.nextInt(50))
            .putInt(number)
            .array();
        try {
          if (send(connection, frame)) {
            number++;
          }
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
    }

    private boolean send(FramedConnection connection, byte[] frame) throws IOException {
      switch (random.nextInt(7)) {
        case 0 -> {
          return connection.trySend(frame);
        }
        case 1 -> {
          return connection.trySend(Unpooled.wrappedBuffer(frame));
        }
        case 2, 3 -> {
          CompletableFuture<Void> sent = connection.sendAsync(frame);
          if (sent.isCompletedExceptionally()) {
            return false;
          }
          sent.thenRun(() -> some(connection));
        }
        case 4 -> {
          ByteBuf out = ByteBufAllocator.DEFAULT.buffer();
          FrameEncoder.of(FrameFormat.defaults()).encode(frame, out);
          connection.reply(new EncodedFrames(out, 1));
        }
        case 5 -> connection.reply(Unpooled.wrappedBuffer(frame), 0, frame.length);
        default -> connection.reply(frame);
      }
      return true;
    }
  }

  /** Each reads the peer's bytes at another pace, so that frames wait for room or do not. */
  @ParameterizedTest
  @CsvSource({"1000, 100, 0", "20000, 100, 1", "1000000, 60000, 0"})
  void framesOfTheEventLoopKeepTheirOrder(int highMark, int lowMark, int pauseMillis)
      throws Exception {
    long seed = System.nanoTime();
    Socket socket = new Socket();
    socket.setReceiveBufferSize(16 * 1024);
    try (FramedServer server = FramedServer.builder()
            .outboundHighWaterMark(highMark)
            .outboundLowWaterMark(lowMark)
            .option(StandardSocketOptions.SO_SNDBUF, 16 * 1024)
            .batchHandler(() -> new Mixing(seed))
            .start();
        EchoPeer peer = EchoPeer.of(server, socket)) {
      AtomicBoolean done = new AtomicBoolean();
      CompletableFuture<Void> asking = Threads.run(() -> ask(peer, done));
      for (int i = 0; i < FRAMES; i++) {
        byte[] frame = peer.receive();
        assertThat(ByteBuffer.wrap(frame).getInt()).as("seed %d", seed).isEqualTo(i);
        if (i % 50 == 0) {
          LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(pauseMillis));
        }
      }
      done.set(true);
      asking.get(20, TimeUnit.SECONDS);
      assertThat(server.counters().handlersFailed()).isZero();
    }
  }

  private static void ask(EchoPeer peer, AtomicBoolean done) {
    try {
      while (!done.get()) {
        peer.send(new byte[1]);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** From where a reply is given that is no answer to a read. */
  private enum From {
    OPENED,
    DEPENDENT,
    INPUT_ENDED,
    STOPPING;
  }

  private static BatchHandler replyingFrom(From from) {
    return new BatchHandler() {
      @Override
      public void opened(FramedConnection connection) {
        replyIf(From.OPENED, connection);
      }

      @Override
      public void frames(FramedConnection connection, FrameBatch batch) {
        // The dependent runs when the read has long been over.
        connection.sendAsync(batch.bytes(0)).thenRun(() -> replyIf(From.DEPENDENT, connection));
      }

      @Override
      public void inputEnded(FramedConnection connection) {
        // It is not closed, which would flush.
        replyIf(From.INPUT_ENDED, connection);
      }

      @Override
      public void stopping(FramedConnection connection) {
        replyIf(From.STOPPING, connection);
      }

      private void replyIf(From here, FramedConnection connection) {
        if (here == from) {
          connection.reply("now".getBytes(UTF_8));
        }
      }
    };
  }

  @ParameterizedTest
  @EnumSource
  void repliesFromEverywhereAreSent(From from) throws Exception {
    try (FramedServer server = FramedServer.builder()
            .closeTimeout(from == From.STOPPING ? Duration.ofSeconds(20) : Duration.ofMillis(100))
            .batchHandler(() -> replyingFrom(from))
            .start();
        EchoPeer peer = EchoPeer.of(server)) {
      if (from != From.OPENED) {
        peer.echo((byte) 1);
      }
      if (from == From.INPUT_ENDED) {
        peer.halfClose();
      } else if (from == From.STOPPING) {
        CompletableFuture<Void> stopped = Threads.run(server::close);
        assertThat(peer.receive()).asString(UTF_8).isEqualTo("now");
        peer.halfClose();
        stopped.get(20, TimeUnit.SECONDS);
        return;
      }
      assertThat(peer.receive()).asString(UTF_8).isEqualTo("now");
    }
  }

  /** It stayed in a buffer that nobody released. */
  @Test
  void replyOnAClosedConnectionIsCounted() throws Exception {
    CompletableFuture<Void> closed = new CompletableFuture<>();
    BatchHandler handler = new BatchHandler() {
      @Override
      public void frames(FramedConnection connection, FrameBatch batch) {}

      @Override
      public void closed(FramedConnection connection, @Nullable Throwable cause) {
        connection.reply(new byte[10]);
        FrameEncoder encoder = FrameEncoder.of(FrameFormat.defaults());
        try {
          connection.reply(
              encoder.encode(Unpooled.wrappedBuffer(new byte[6]), ByteBufAllocator.DEFAULT));
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
        closed.complete(null);
      }
    };
    try (FramedServer server =
        FramedServer.builder().batchHandler(() -> handler).start()) {
      EchoPeer.of(server).close();
      closed.get(20, TimeUnit.SECONDS);
      Await.until("it is counted", () -> server.counters().bytesNotSent() == 20);
      assertThat(server.counters().handlersFailed()).isZero();
    }
  }

  /** The peer never got it, and nobody was told. */
  @Test
  void replyBehindTheFinIsCounted() throws Exception {
    BatchHandler handler = new BatchHandler() {
      private boolean ended;

      @Override
      public void frames(FramedConnection connection, FrameBatch batch) {
        connection.reply(new byte[10]);
        if (!ended) {
          ended = true;
          connection.endOutput();
          // Before the FIN is sent: it is not late.
          connection.reply(new byte[5]);
        }
      }
    };
    try (FramedServer server =
            FramedServer.builder().batchHandler(() -> handler).start();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.send(new byte[1]);
      assertThat(peer.receive()).hasSize(10);
      assertThat(peer.receive()).hasSize(5);
      assertThat(peer.receive()).isNull();
      assertThat(server.counters().bytesNotSent()).isZero();
      peer.send(new byte[1]);
      Await.until("it is counted", () -> server.counters().bytesNotSent() == 10);
      assertThat(server.counters().handlersFailed()).isZero();
    }
  }
}
