package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameReader;
import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import java.io.IOException;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code close()} of a client and of a connection, with and without somebody who is in its way. */
@Timeout(60)
class ClientCloseTest {
  private static final Duration CLOSE = Duration.ofMillis(100);

  /** An event loop that is held for ever, until the test lets it go. */
  private static final class Hold implements AutoCloseable {
    private final CountDownLatch holds = new CountDownLatch(1);
    private final CountDownLatch end = new CountDownLatch(1);

    void hold() {
      holds.countDown();
      try {
        end.await();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }

    void await() throws Exception {
      assertThat(holds.await(20, TimeUnit.SECONDS)).isTrue();
    }

    void letGo() {
      end.countDown();
    }

    @Override
    public void close() {
      letGo();
    }
  }

  /** The callbacks of a client, of which each can hold the event loop. */
  enum Callback {
    ON_CONNECTED,
    BATCH_OPENED,
    BATCH_FRAMES,
    BATCH_INPUT_ENDED,
    BATCH_CLOSED,
    SUBSCRIBER,
    OF_A_REPLY,
    OF_A_SEND,
    OF_CLOSED;

    FramedClient connect(FramedServer server, Hold hold) throws IOException {
      Reconnect soon = Reconnect.builder().firstDelay(Duration.ofMillis(1)).build();
      FramedClientBuilder builder =
          FramedClient.builder().port(server.port()).closeTimeout(CLOSE).reconnect(soon);
      if (this == ON_CONNECTED) {
        CountDownLatch first = new CountDownLatch(1);
        builder.onConnected(connection -> {
          if (first.getCount() == 0) {
            hold.hold();
          }
          first.countDown();
        });
      } else if (name().startsWith("BATCH")) {
        builder.batchHandler(new HoldingHandler(this, hold));
      }
      FramedClient client = builder.connect();
      FramedConnection connection = client.connection();
      switch (this) {
        case ON_CONNECTED -> connection.abort();
        case BATCH_FRAMES -> connection.send(new byte[1]);
        case BATCH_INPUT_ENDED, BATCH_CLOSED -> connection.send(new byte[] {'e'});
        case SUBSCRIBER -> {
          connection.publisher().subscribe(new HoldingSubscriber(hold));
          connection.send(new byte[1]);
        }
        // Registered on the event loop, so that it is not called here.
        case OF_A_REPLY ->
          connection
              .link()
              .runOnLoop(() -> client.request(new byte[1]).thenAccept(reply -> hold.hold()));
        case OF_A_SEND ->
          connection.link().runOnLoop(() -> connection.sendAsync(new byte[1]).thenRun(hold::hold));
        case OF_CLOSED -> {
          connection.closed().whenComplete((done, error) -> hold.hold());
          connection.abort();
        }
        default -> {
          // It is called at once.
        }
      }
      return client;
    }
  }

  private record HoldingHandler(Callback callback, Hold hold) implements BatchHandler {
    private void at(Callback here) {
      if (callback == here) {
        hold.hold();
      }
    }

    @Override
    public void opened(FramedConnection connection) {
      at(Callback.BATCH_OPENED);
    }

    @Override
    public void frames(FramedConnection connection, FrameBatch batch) {
      at(Callback.BATCH_FRAMES);
    }

    @Override
    public void inputEnded(FramedConnection connection) {
      at(Callback.BATCH_INPUT_ENDED);
      connection.closeWhenSent();
    }

    @Override
    public void closed(FramedConnection connection, @Nullable Throwable cause) {
      at(Callback.BATCH_CLOSED);
    }
  }

  private record HoldingSubscriber(Hold hold) implements Flow.Subscriber<byte[]> {
    @Override
    public void onSubscribe(Flow.Subscription subscription) {
      subscription.request(1);
    }

    @Override
    public void onNext(byte[] frame) {
      hold.hold();
    }

    @Override
    public void onError(Throwable error) {}

    @Override
    public void onComplete() {}
  }

  /** Echoes, and ends the connection behind a frame that begins with an e. */
  private static FramedServer server() throws IOException {
    return FramedServer.builder()
        .closeTimeout(Duration.ZERO)
        .handler(connection -> {
          byte[] frame = connection.receive();
          while (frame != null && (frame.length == 0 || frame[0] != 'e')) {
            connection.send(frame);
            frame = connection.receive();
          }
        })
        .start();
  }

  /** All at once, since each takes its time. It waited for ever. */
  @Test
  void closesWhileACallbackHoldsTheEventLoop() throws Exception {
    try (FramedServer server = server()) {
      List<CompletableFuture<Void>> all = new ArrayList<>();
      for (Callback callback : Callback.values()) {
        all.add(Threads.run(() -> {
          try (Hold hold = new Hold()) {
            FramedClient client = callback.connect(server, hold);
            hold.await();
            FramedConnection connection = client.connection();
            connection.close();
            client.close();
            assertThat(client.isConnected()).isFalse();
          } catch (Exception e) {
            throw new IllegalStateException(callback.toString(), e);
          }
        }));
      }
      for (CompletableFuture<Void> each : all) {
        each.get(50, TimeUnit.SECONDS);
      }
    }
  }

  @Test
  void everyoneWhoWaitsIsToldWhenTheEventLoopIsHeld() throws Exception {
    try (ScriptedServer server = ScriptedServer.start(ScriptedServer::keep);
        Hold hold = new Hold();
        FramedServers.Log log = new FramedServers.Log()) {
      FramedClient client = FramedClient.builder()
          .port(server.port())
          .closeTimeout(CLOSE)
          .outboundHighWaterMark(1000)
          .option(StandardSocketOptions.SO_SNDBUF, 8 * 1024)
          .connect();
      FramedConnection connection = client.connection();
      connection.link().context().executor().execute(hold::hold);
      hold.await();
      connection.send(new byte[800]);
      CompletableFuture<Void> waits = connection.sendAsync(new byte[900]);
      Waiting sender = new Waiting(() -> connection.send(new byte[900]));
      Waiting receiver = new Waiting(connection::receive);
      sender.await();
      receiver.await();
      client.close();

      assertThat(sender.failure.get(20, TimeUnit.SECONDS))
          .isInstanceOf(FrameNotSentException.class);
      assertThat(receiver.failure.get(20, TimeUnit.SECONDS))
          .isInstanceOf(IOException.class)
          .hasMessage("client was closed while a callback held its event loop (closeTimeout, peer "
              + connection.remoteAddress() + ")");
      assertThat(waits)
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isInstanceOf(FrameNotSentException.class);
      assertThat(client.counters().bytesNotSent()).isGreaterThanOrEqualTo(800);
      assertThat(client.counters().connectionsCut()).isOne();
      assertThat(log.records).hasSize(1);
      hold.letGo();
      Await.until("it is closed", () -> client.counters().connectionsOpen() == 0);
      assertThat(client.counters().bytesNotSent()).isLessThan(1600);
    }
  }

  private interface Call {
    void run() throws Exception;
  }

  /** A call in a thread of its own that is to wait, and then to fail. */
  private static final class Waiting {
    final CompletableFuture<Throwable> failure = new CompletableFuture<>();
    private final Thread thread;

    Waiting(Call call) {
      thread = new Thread(() -> {
        try {
          call.run();
          failure.complete(new AssertionError("no exception"));
        } catch (Exception e) {
          failure.complete(e);
        }
      });
      thread.setDaemon(true);
      thread.start();
    }

    void await() throws Exception {
      Await.until("it waits", () -> thread.getState().name().endsWith("WAITING"));
    }
  }

  @Test
  void requestsFailWhenTheEventLoopIsHeld() throws Exception {
    try (FramedServer server = server();
        Hold hold = new Hold()) {
      FramedClient client =
          FramedClient.builder().port(server.port()).closeTimeout(CLOSE).connect();
      assertThat(client.request(new byte[1]).get(20, TimeUnit.SECONDS)).hasSize(1);
      client.connection().link().context().executor().execute(hold::hold);
      hold.await();
      CompletableFuture<byte[]> second = client.request(new byte[2]);
      client.close();
      assertThat(second).failsWithin(20, TimeUnit.SECONDS);
      assertThat(client.request(new byte[3])).failsWithin(20, TimeUnit.SECONDS);
    }
  }

  @Test
  void firstConnectIsBoundedWhenOnConnectedHoldsTheEventLoop() throws Exception {
    try (FramedServer server = server();
        Hold hold = new Hold()) {
      assertThatThrownBy(() -> FramedClient.builder()
              .port(server.port())
              .connectTimeout(CLOSE)
              .onConnected(connection -> hold.hold())
              .connect())
          .isInstanceOf(java.net.ConnectException.class)
          .hasMessage("cannot connect to 127.0.0.1:" + server.port()
              + ": not connected in 100 ms (connectTimeout)");
      hold.letGo();
      FramedServers.awaitEmpty(server);
    }
  }

  /** It ended the event loop, and with it what had not been sent. */
  @Test
  void closeOnTheEventLoopSendsWhatWasTaken() throws Exception {
    BlockingQueue<Socket> accepted = new LinkedBlockingQueue<>();
    try (ScriptedServer server = ScriptedServer.start((socket, number) -> accepted.add(socket))) {
      FramedClient client = slowlySending(server);
      FramedConnection connection = client.connection();
      for (int i = 0; i < 9; i++) {
        connection.send(new byte[100_000]);
      }
      connection.link().runOnLoop(client::close);
      assertThat(framesUntilACleanEnd(accepted.take())).isEqualTo(9);
      Await.until("it is closed", () -> client.counters().connectionsOpen() == 0);
      assertThat(client.counters().bytesNotSent()).isZero();
    }
  }

  /** It ended the connection in place of the waiting. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void interruptEndsTheWaitingAndNotTheClosing(boolean ofTheClient) throws Exception {
    BlockingQueue<Socket> accepted = new LinkedBlockingQueue<>();
    try (ScriptedServer server = ScriptedServer.start((socket, number) -> accepted.add(socket))) {
      FramedClient client = slowlySending(server);
      FramedConnection connection = client.connection();
      CompletableFuture<Boolean> closer = Threads.call(() -> {
        try {
          for (int i = 0; i < 9; i++) {
            connection.send(new byte[100_000]);
          }
        } catch (IOException e) {
          throw new IllegalStateException(e);
        }
        Thread.currentThread().interrupt();
        if (ofTheClient) {
          client.close();
        } else {
          connection.close();
        }
        return Thread.interrupted();
      });
      assertThat(closer.get(20, TimeUnit.SECONDS)).isTrue();
      assertThat(framesUntilACleanEnd(accepted.take())).isEqualTo(9);
      Await.until("it is closed", () -> client.counters().connectionsOpen() == 0);
      assertThat(client.counters().bytesNotSent()).isZero();
      assertThat(client.counters().connectionsCut()).isZero();
      client.close();
    }
  }

  private static FramedClient slowlySending(ScriptedServer server) throws IOException {
    return FramedClient.builder()
        .port(server.port())
        .closeTimeout(Duration.ofSeconds(20))
        .option(StandardSocketOptions.SO_SNDBUF, 8 * 1024)
        .connect();
  }

  /** Reads all frames, and ends the connection too at their end. */
  private static int framesUntilACleanEnd(Socket peer) throws IOException {
    try (peer) {
      FrameReader reader = FrameReader.of(peer.getInputStream(), FrameFormat.defaults());
      int frames = 0;
      while (reader.read() != null) {
        frames++;
      }
      return frames;
    }
  }

  @Test
  void whatAPeerDoesNotTakeIsCutAndCounted() throws Exception {
    try (ScriptedServer server = ScriptedServer.start(ScriptedServer::keep)) {
      FramedClient client = FramedClient.builder()
          .port(server.port())
          .closeTimeout(CLOSE)
          .option(StandardSocketOptions.SO_SNDBUF, 8 * 1024)
          .connect();
      client.connection().send(new byte[8_000_000]);
      client.close();
      assertThat(client.counters().bytesNotSent()).isBetween(1L, 8_000_004L);
      assertThat(client.counters().connectionsOpen()).isZero();
    }
  }

  @Test
  void closesWhileItConnectsAgain() throws Exception {
    NameLookup names = new NameLookup(new NeverSecond());
    try (ScriptedServer server = ScriptedServer.start((socket, number) -> socket.close())) {
      FramedClient client = FramedClient.builder()
          .host("once.test")
          .port(server.port())
          .lookup(names)
          .connectTimeout(Duration.ofSeconds(30))
          .closeTimeout(Duration.ofSeconds(30))
          .reconnect(Reconnect.builder().firstDelay(Duration.ofMillis(1)).build())
          .connect();
      Await.until("it looks the name up", () -> names.running() == 1);
      long start = System.nanoTime();
      client.close();
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(20));
    }
  }

  /** Finds an address once, and then nothing any more. */
  private static final class NeverSecond implements NameLookup.Resolver {
    private final CountDownLatch first = new CountDownLatch(1);

    @Override
    public java.net.InetAddress[] resolve(String host) throws java.net.UnknownHostException {
      if (first.getCount() == 0) {
        new CompletableFuture<Void>().join();
      }
      first.countDown();
      return java.net.InetAddress.getAllByName("127.0.0.1");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"PT0S", "PT0.05S"})
  void closeOfAQuietClientCutsNothing(Duration closeTimeout) throws Exception {
    try (FramedServer server = Way.REACTIVE.echo().start()) {
      FramedClient client =
          FramedClient.builder().port(server.port()).closeTimeout(closeTimeout).connect();
      assertThat(client.request(new byte[] {1}).get(20, TimeUnit.SECONDS)).containsExactly(1);
      client.close();
      client.close();
      Await.until("it is closed", () -> client.counters().connectionsOpen() == 0);
      assertThat(client.counters().bytesNotSent()).isZero();
      assertThat(client.counters().connectionsFailed()).isZero();
    }
  }
}
