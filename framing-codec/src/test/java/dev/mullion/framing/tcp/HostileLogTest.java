package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.net.Tls;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What peers can make happen as often as they like is a line a second in the log, and a counter.
 */
@Timeout(60)
class HostileLogTest {
  private static final int PEERS = 100;

  /** Everything that anybody logs, Netty too. */
  private final Queue<LogRecord> logged = new ConcurrentLinkedQueue<>();

  @TempDir
  Path directory;

  private final Logger root = Logger.getLogger("");
  private final Handler collector = new Handler() {
    @Override
    public void publish(LogRecord entry) {
      logged.add(entry);
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  };

  @BeforeEach
  void collect() {
    root.addHandler(collector);
  }

  @AfterEach
  void stop() {
    root.removeHandler(collector);
  }

  /** What a hostile peer does. */
  @SuppressWarnings("ImmutableEnumChecker") // Nobody changes the arrays.
  private enum Attack {
    TOO_LARGE(0xFF, 0xFF, 0xFF, 0xFF),
    HTTP('G', 'E', 'T', ' ', '/', ' ', 'H', 'T', 'T', 'P'),
    TRUNCATED(0, 0, 0, 9, 1),
    FAILS_THE_HANDLER(0, 0, 0, 1, 66);

    private final int[] bytes;

    Attack(int... bytes) {
      this.bytes = bytes;
    }
  }

  @ParameterizedTest
  @EnumSource
  void hostilePeersMakeFewLines(Attack attack) throws Exception {
    long start = System.nanoTime();
    try (FramedServer server =
        FramedServer.builder().batchHandler(() -> HostileLogTest::reply).start()) {
      for (int i = 0; i < PEERS; i++) {
        try (EchoPeer peer = EchoPeer.of(server)) {
          peer.write(attack.bytes).halfClose().expectClosed();
        }
      }
      FramedServers.awaitEmpty(server);
      FramedServers.awaitFailed(server, PEERS);
    }
    long seconds = TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start);
    assertThat(logged).isNotEmpty();
    assertThat(logged.size()).isLessThanOrEqualTo((int) seconds + 1);
  }

  private static void reply(FramedConnection connection, FrameBatch batch) {
    if (batch.buffer().getByte(batch.offset(0)) == 66) {
      throw new IllegalStateException("thrown by the test");
    }
    connection.reply(batch.encoded());
  }

  @Test
  void failedHandshakesMakeFewLinesAndAreCounted() throws Exception {
    long start = System.nanoTime();
    Tls tls = Certificates.in(directory).server();
    try (FramedServer server = FramedServer.builder()
        .tls(tls)
        .batchHandler(() -> HostileLogTest::reply)
        .start()) {
      for (int i = 0; i < PEERS; i++) {
        try (EchoPeer peer = EchoPeer.of(server, FrameFormat.defaults())) {
          peer.write('G', 'E', 'T', ' ', '/', '\r', '\n', '\r', '\n').halfClose();
          while (peer.socket.getInputStream().read() >= 0) {
            // An alert, and the end.
          }
        } catch (java.net.SocketException reset) {
          assertThat(reset).hasMessageContaining("reset");
        }
      }
      FramedServers.awaitEmpty(server);
      Await.until("each is counted", () -> server.counters().handshakesFailed() == PEERS);
    }
    long seconds = TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start);
    assertThat(logged.size()).isLessThanOrEqualTo((int) seconds + 1);
  }

  /** Whatever is called when the connection has ended already: there were NullPointerExceptions. */
  @ParameterizedTest
  @EnumSource(FramedServerTest.Way.class)
  void callsAfterTheEndAreQuiet(FramedServerTest.Way way) throws Exception {
    CompletableFuture<FramedConnection> made = new CompletableFuture<>();
    FramedServerBuilder builder = FramedServer.builder();
    switch (way) {
      case BLOCKING ->
        builder.handler(connection -> {
          made.complete(connection);
          connection.receive();
        });
      case REACTIVE -> builder.reactiveHandler(made::complete);
      case BATCH ->
        builder.batchHandler(() -> new BatchHandler() {
          @Override
          public void opened(FramedConnection connection) {
            made.complete(connection);
          }

          @Override
          public void frames(FramedConnection connection, FrameBatch batch) {}
        });
    }
    try (FramedServer server = builder.start()) {
      Socket peer = new Socket();
      peer.connect((InetSocketAddress) server.address());
      FramedConnection connection = made.get(20, TimeUnit.SECONDS);
      peer.setSoLinger(true, 0);
      peer.close();
      if (way == FramedServerTest.Way.REACTIVE) {
        connection.abort();
      }
      connection.closed().toCompletableFuture().handle((done, error) -> null).get();

      for (Runnable call : List.<Runnable>of(
          connection::endOutput,
          connection::closeWhenSent,
          connection::abort,
          connection::close,
          () -> connection.sendAsync(new byte[1]),
          connection::isOpen,
          () -> assertThat(connection)
              .hasToString("FramedConnection[" + connection.remoteAddress() + "]"))) {
        call.run();
      }
    }
    assertThat(logged).allSatisfy(entry -> assertThat(entry.getThrown()).isNull());
  }
}
