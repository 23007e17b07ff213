package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.framing.testing.Threads;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@code isOpen} and {@code isConnected} say in each state of a connection. */
@Timeout(60)
class OpenStateTest {
  private static Certificates certificates;

  @BeforeAll
  static void makeCertificates(@TempDir Path directory) throws Exception {
    certificates = Certificates.in(directory);
  }

  /** A client and the server's side of its connection, which the test uses itself. */
  private static final class Pair implements AutoCloseable {
    private final BlockingQueue<FramedConnection> accepted = new LinkedBlockingQueue<>();
    private final CompletableFuture<Void> over = new CompletableFuture<>();
    final FramedServer server;
    final FramedClient client;
    final FramedConnection here;
    final FramedConnection there;

    Pair(boolean secure) throws Exception {
      FramedServerBuilder serving = FramedServer.builder()
          .closeTimeout(Duration.ofMillis(500))
          .handler(connection -> {
            accepted.add(connection);
            over.join();
          });
      server = (secure ? serving.tls(certificates.server()) : serving).start();
      FramedClientBuilder calling =
          FramedClient.builder().port(server.port()).closeTimeout(Duration.ofMillis(500));
      client = (secure ? calling.tls(certificates.client()) : calling).connect();
      here = client.connection();
      there = accepted.poll(20, TimeUnit.SECONDS);
    }

    @Override
    public void close() {
      over.complete(null);
      client.close();
      server.close();
    }
  }

  private static void awaitNotOpen(FramedConnection connection) throws Exception {
    Await.until("it is not open", () -> !connection.isOpen());
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void openConnection(boolean secure) throws Exception {
    try (Pair pair = new Pair(secure)) {
      assertThat(pair.client.isConnected()).isTrue();
      assertThat(pair.here.isOpen()).isTrue();
      assertThat(pair.there.isOpen()).isTrue();
    }
  }

  /** A client cannot get replies any more: it is not connected, though the server still reads. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void serverEndsItsSide(boolean secure) throws Exception {
    try (Pair pair = new Pair(secure)) {
      pair.there.send(new byte[] {1});
      pair.there.endOutput();
      assertThat(pair.there.isOpen()).isFalse();
      awaitNotOpen(pair.here);
      assertThat(pair.client.isConnected()).isFalse();

      assertThat(pair.here.receive()).containsExactly(1);
      assertThat(pair.here.receive()).isNull();
      if (!secure) {
        // Without reconnect, a side that the peer has not ended can be used.
        pair.here.send(new byte[] {2});
        assertThat(pair.there.receive()).containsExactly(2);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void clientEndsItsSide(boolean secure) throws Exception {
    try (Pair pair = new Pair(secure)) {
      pair.here.send(new byte[] {1});
      pair.here.endOutput();
      assertThat(pair.client.isConnected()).isFalse();
      // The end is made on the event loop.
      pair.here.link().context().executor().submit(() -> {}).get(20, TimeUnit.SECONDS);
      assertThatThrownBy(() -> pair.here.send(new byte[1]))
          .isInstanceOf(FrameNotSentException.class);
      awaitNotOpen(pair.there);
      assertThat(pair.there.receive()).containsExactly(1);
      if (!secure) {
        assertThat(pair.there.receive()).isNull();
        pair.there.send(new byte[] {2});
        assertThat(pair.here.receive()).containsExactly(2);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void closedConnection(boolean secure) throws Exception {
    try (Pair pair = new Pair(secure)) {
      pair.here.closeWhenSent();
      assertThat(pair.here.isOpen()).isFalse();
      awaitNotOpen(pair.there);
      assertThat(pair.client.isConnected()).isFalse();
    }
    try (Pair pair = new Pair(secure)) {
      pair.client.close();
      assertThat(pair.client.isConnected()).isFalse();
      awaitNotOpen(pair.there);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void brokenConnection(boolean secure) throws Exception {
    try (Pair pair = new Pair(secure)) {
      pair.there
          .link()
          .context()
          .channel()
          .config()
          .setOption(io.netty.channel.ChannelOption.SO_LINGER, 0);
      pair.there.abort();
      assertThat(pair.there.isOpen()).isFalse();
      awaitNotOpen(pair.here);
      assertThatThrownBy(() -> {
            while (true) {
              pair.here.send(new byte[1]);
            }
          })
          .isInstanceOf(IOException.class);
    }
  }

  /** While the server stops, a connection is open until its side ends. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void stoppedServer(boolean secure) throws Exception {
    try (Pair pair = new Pair(secure)) {
      CompletableFuture<?> stop = Threads.run(pair.server::close);
      awaitNotOpen(pair.there);
      pair.over.complete(null);
      awaitNotOpen(pair.here);
      stop.get(20, TimeUnit.SECONDS);
      assertThat(pair.client.isConnected()).isFalse();
    }
  }
}
