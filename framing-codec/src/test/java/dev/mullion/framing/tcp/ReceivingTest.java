package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What becomes of whoever waits for a frame. */
@Timeout(60)
class ReceivingTest {
  @Test
  void timeOutOfReceiveLosesNothing() throws Exception {
    CompletableFuture<FramedConnection> accepted = new CompletableFuture<>();
    try (FramedServer server = keeping(accepted);
        EchoPeer peer = EchoPeer.of(server).write(0, 0, 0, 3, 65)) {
      FramedConnection connection = accepted.get(20, TimeUnit.SECONDS);
      for (int i = 0; i < 3; i++) {
        assertThatThrownBy(() -> connection.receive(Duration.ofMillis(20)))
            .isExactlyInstanceOf(SocketTimeoutException.class)
            .hasMessage("no frame received in 20 ms (peer " + peer.address() + ")");
      }
      assertThatThrownBy(() -> connection.receive(Duration.ZERO))
          .isExactlyInstanceOf(SocketTimeoutException.class);
      peer.write(66, 67, 0, 0, 0, 0);

      assertThat(connection.receive(Duration.ofSeconds(20))).containsExactly(65, 66, 67);
      assertThat(connection.receive(Duration.ofSeconds(20))).isEmpty();
      peer.halfClose();
      assertThat(connection.receive(Duration.ofSeconds(20))).isNull();
      assertThat(connection.receive(Duration.ofMillis(1))).isNull();
    }
  }

  /** Gives its connections away, and keeps them until the server stops. */
  private static FramedServer keeping(CompletableFuture<FramedConnection> accepted)
      throws IOException {
    return FramedServer.builder()
        .closeTimeout(Duration.ofMillis(100))
        .reactiveHandler(accepted::complete)
        .start();
  }

  @Test
  void interruptOfReceiveLosesNothing() throws Exception {
    CompletableFuture<FramedConnection> accepted = new CompletableFuture<>();
    CompletableFuture<Thread> receiver = new CompletableFuture<>();
    try (FramedServer server = keeping(accepted);
        EchoPeer peer = EchoPeer.of(server).write(0, 0, 0, 3, 65)) {
      FramedConnection connection = accepted.get(20, TimeUnit.SECONDS);
      CompletableFuture<Boolean> flag = Threads.call(() -> {
        receiver.complete(Thread.currentThread());
        assertThatThrownBy(connection::receive)
            .isExactlyInstanceOf(InterruptedIOException.class)
            .hasMessage("interrupted while waiting for a frame");
        return Thread.interrupted();
      });
      Await.until("it waits", () -> receiver.get().getState() == Thread.State.TIMED_WAITING);
      receiver.get().interrupt();
      assertThat(flag.get(20, TimeUnit.SECONDS)).isTrue();

      peer.write(66, 67);
      assertThat(connection.receive()).containsExactly(65, 66, 67);
    }
  }

  @Test
  void receiveDoesNotWaitOnTheEventLoop() throws Exception {
    CompletableFuture<byte[]> received = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
            .closeTimeout(Duration.ofMillis(100))
            .reactiveHandler(connection -> {
              try {
                received.complete(connection.receive());
              } catch (IOException | IllegalStateException e) {
                received.completeExceptionally(e);
              }
            })
            .start();
        EchoPeer peer = EchoPeer.of(server)) {
      assertThat(received)
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isExactlyInstanceOf(IllegalStateException.class)
          .withMessage("receive() would wait on the event loop");
      assertThat(peer.socket.isConnected()).isTrue();
    }
  }

  @Test
  void receivedBytesCanBeTakenOver() throws Exception {
    CompletableFuture<FramedConnection> accepted = new CompletableFuture<>();
    try (FramedServer server = keeping(accepted);
        EchoPeer peer = EchoPeer.of(server)) {
      FramedConnection connection = accepted.get(20, TimeUnit.SECONDS);
      peer.write(0, 0, 0, 1, 65, 'G', 'E', 'T', ' ', '/');
      assertThat(connection.receive()).containsExactly(65);
      ByteArrayOutputStream taken = new ByteArrayOutputStream();
      taken.writeBytes(connection.takeReceivedBytes());
      peer.write(' ', 'H', 'T', 'T', 'P');
      Await.until("all has come", () -> {
        taken.writeBytes(connection.takeReceivedBytes());
        return taken.size() == 10;
      });

      assertThat(taken).hasToString("GET / HTTP");
      assertThat(connection.takeReceivedBytes()).isEmpty();
      assertThat(server.memoryUsed()).isZero();
      assertThat(server.counters().connectionsFailed()).isZero();
    }
  }

  @Test
  void receivedBytesAreTakenFromInsideAFrame() throws Exception {
    CompletableFuture<FramedConnection> accepted = new CompletableFuture<>();
    try (FramedServer server = keeping(accepted);
        EchoPeer peer = EchoPeer.of(server).write(0, 0, 0, 3, 65)) {
      FramedConnection connection = accepted.get(20, TimeUnit.SECONDS);
      Await.until("it has come", () -> server.memoryUsed() == 5);
      assertThatThrownBy(() -> connection.receive(Duration.ZERO))
          .isExactlyInstanceOf(SocketTimeoutException.class);

      assertThat(connection.takeReceivedBytes()).containsExactly(0, 0, 0, 3, 65);
      peer.write(0, 0, 0, 1, 70);
      assertThat(connection.receive()).containsExactly(70);
    }
  }

  @Test
  void closedByTheHandlerWhileAnotherThreadReceives() throws Exception {
    try (FramedServer server = Way.BLOCKING.echo().start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      FramedConnection connection = client.connection();
      CompletableFuture<byte[]> received = Threads.call(() -> {
        try {
          return connection.receive();
        } catch (IOException e) {
          throw new java.io.UncheckedIOException(e);
        }
      });
      connection.abort();

      assertThat(received)
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingRootCause()
          .withMessage("connection is closed (peer " + connection.remoteAddress() + ")");
    }
  }
}
