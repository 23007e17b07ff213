package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.FramedServers.awaitOpen;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FramePart;
import dev.mullion.framing.testing.Await;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a connection and its server say of the bytes that came. */
@Timeout(60)
class ConnectionCountersTest {
  private static final int LONG = 1_000_000;

  /** A batch handler's were those on the wire, and a blocking handler's those of the payload. */
  @Test
  void receivedBytesAreThoseOnTheWire() throws Exception {
    CompletableFuture<FramedConnection> served = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
            .handler(connection -> {
              served.complete(connection);
              for (byte[] frame : connection) {
                connection.send(frame);
              }
            })
            .start();
        EchoPeer peer = EchoPeer.of(server)) {
      echoAndExpectBytesOnTheWire(peer, served);
    }
  }

  @Test
  void receivedBytesOfPartsAreThoseOnTheWire() throws Exception {
    CompletableFuture<FramedConnection> served = new CompletableFuture<>();
    BatchHandler echo = new BatchHandler() {
      @Override
      public void frames(FramedConnection connection, FrameBatch batch) {
        served.complete(connection);
        connection.reply(batch.encoded());
      }

      @Override
      public void part(FramedConnection connection, FramePart part) {
        connection.reply(part.encoded());
      }
    };
    try (FramedServer server =
            FramedServer.builder().batchHandler(() -> echo).parts(true).start();
        EchoPeer peer = EchoPeer.of(server)) {
      echoAndExpectBytesOnTheWire(peer, served);
    }
  }

  private static void echoAndExpectBytesOnTheWire(
      EchoPeer peer, CompletableFuture<FramedConnection> served) throws Exception {
    peer.echo((byte) 1).echo((byte) 2, (byte) 3).echo(new byte[LONG]);

    ConnectionCounters counters = served.get(20, TimeUnit.SECONDS).counters();
    assertThat(counters.framesReceived()).isEqualTo(3);
    assertThat(counters.bytesReceived()).isEqualTo(5 + 6 + 4 + LONG);
    assertThat(counters.bytesSent()).isEqualTo(5 + 6 + 4 + LONG);
  }

  /** Frames that the handler had taken were counted too, if they had come with the others. */
  @Test
  void bytesThatABlockingHandlerLeavesAreNotHandled() throws Exception {
    CompletableFuture<Void> go = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
            .handler(connection -> {
              go.get();
              connection.receive();
            })
            .start();
        EchoPeer peer = EchoPeer.of(server).send(new byte[1], new byte[2], new byte[3])) {
      Await.until("all has come", () -> server.memoryUsed() >= 5 + 6 + 7);
      go.complete(null);

      peer.expectClosed();
      Await.until("it is counted", () -> server.counters().bytesNotHandled() == 6 + 7);
    }
  }

  /** They were not counted at all. */
  @Test
  void bytesThatASubscriberLeavesAreNotHandled() throws Exception {
    CompletableFuture<Flow.Subscription> subscribed = new CompletableFuture<>();
    Flow.Subscriber<byte[]> first = new Flow.Subscriber<>() {
      @Override
      public void onSubscribe(Flow.Subscription subscription) {
        subscribed.complete(subscription);
      }

      @Override
      public void onNext(byte[] frame) {
        subscribed.join().cancel();
      }

      @Override
      public void onError(Throwable error) {}

      @Override
      public void onComplete() {}
    };
    try (FramedServer server = FramedServer.builder()
            .reactiveHandler(connection -> connection.publisher().subscribe(first))
            .start();
        EchoPeer peer = EchoPeer.of(server).send(new byte[1], new byte[2], new byte[3])) {
      Await.until("all has come", () -> server.memoryUsed() >= 5 + 6 + 7);
      subscribed.get(20, TimeUnit.SECONDS).request(3);

      peer.expectClosed();
      awaitOpen(server, 0);
      assertThat(server.counters().bytesNotHandled()).isEqualTo(6 + 7);
      assertThat(server.counters().handlersFailed()).isZero();
    }
  }
}
