package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import io.netty.util.concurrent.ImmediateEventExecutor;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Handlers that hold their event loop, and who is told. */
@Timeout(60)
class SlowHandlerTest {
  @Test
  void burstOfSlowCallsIsCountedEachAndLoggedOnceWithThePeer() throws Exception {
    CompletableFuture<TcpCounters> counters = new CompletableFuture<>();
    try (FramedServers.Log log = new FramedServers.Log();
        FramedServer server = FramedServer.builder()
            .slowHandlerLimit(Duration.ofMillis(250))
            .batchHandler(() -> (connection, batch) -> {
              long before = counters.join().handlersSlow();
              await(() -> counters.join().handlersSlow() > before);
              connection.reply(batch.buffer(), batch.offset(0), batch.length(0));
            })
            .start();
        EchoPeer peer = EchoPeer.of(server)) {
      counters.complete(server.counters());
      peer.echo((byte) 1).echo((byte) 2).echo((byte) 3);
      assertThat(server.counters().handlersSlow()).isEqualTo(3);

      assertThat(log.ofSlowHandlers).hasSize(1);
      assertThat(log.ofSlowHandlers.get(0))
          .startsWith("WARNING handler holds the event loop for more than 250 ms (slowHandlerLimit,"
              + " peer " + peer.address() + ")" + System.lineSeparator() + "\tat ")
          .contains("SlowHandlerTest");
      assertThat(server.counters().handlersFailed()).isZero();
    }
  }

  @Test
  void slowSubscriberIsReportedToo() throws Exception {
    CompletableFuture<TcpCounters> counters = new CompletableFuture<>();
    try (FramedServers.Log log = new FramedServers.Log();
        FramedServer server = FramedServer.builder()
            .slowHandlerLimit(Duration.ofMillis(250))
            .reactiveHandler(connection -> connection
                .publisher()
                .subscribe(new EchoSubscriber(connection, () -> {
                  await(() -> counters.join().handlersSlow() > 0);
                })))
            .start();
        EchoPeer peer = EchoPeer.of(server)) {
      counters.complete(server.counters());
      peer.echo((byte) 1);

      assertThat(log.ofSlowHandlers).hasSize(1);
      assertThat(log.ofSlowHandlers.get(0)).contains("peer " + peer.address(), "EchoSubscriber");
    }
  }

  private record EchoSubscriber(FramedConnection connection, Runnable before)
      implements Flow.Subscriber<byte[]> {
    @Override
    public void onSubscribe(Flow.Subscription subscription) {
      subscription.request(Long.MAX_VALUE);
    }

    @Override
    public void onNext(byte[] frame) {
      before.run();
      connection.sendAsync(frame);
    }

    @Override
    public void onError(Throwable error) {}

    @Override
    public void onComplete() {
      connection.closeWhenSent();
    }
  }

  @Test
  void slowHandlerOfAClientIsReportedToo() throws Exception {
    CompletableFuture<TcpCounters> counters = new CompletableFuture<>();
    CompletableFuture<Void> seen = new CompletableFuture<>();
    try (FramedServers.Log log = new FramedServers.Log();
        FramedServer server = FramedServerTest.Way.BATCH.echo().start();
        FramedClient client = FramedClient.builder()
            .port(server.port())
            .slowHandlerLimit(Duration.ofMillis(250))
            .batchHandler((connection, batch) -> {
              await(() -> counters.join().handlersSlow() > 0);
              seen.complete(null);
            })
            .connect()) {
      counters.complete(client.counters());
      client.connection().sendAsync(new byte[] {1}).get(20, TimeUnit.SECONDS);
      seen.get(20, TimeUnit.SECONDS);

      assertThat(log.ofSlowHandlers).hasSize(1);
      assertThat(log.ofSlowHandlers.get(0))
          .contains("peer " + client.connection().remoteAddress(), "SlowHandlerTest");
    }
  }

  @Test
  void nothingIsReportedWithoutALimit() throws Exception {
    try (FramedServers.Log log = new FramedServers.Log();
        FramedServer server = FramedServer.builder()
            .slowHandlerLimit(Duration.ZERO)
            .batchHandler(() -> (connection, batch) -> {
              LockSupport.parkNanos(150_000_000);
              connection.reply(batch.buffer(), batch.offset(0), batch.length(0));
            })
            .start();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.echo((byte) 1);

      assertThat(server.counters().handlersSlow()).isZero();
      assertThat(log.ofSlowHandlers).isEmpty();
    }
  }

  @Test
  void limitIsWrittenWithoutAComma() throws Exception {
    try (FramedServers.Log log = new FramedServers.Log();
        FramedServer server = FramedServer.builder()
            .slowHandlerLimit(Duration.ofSeconds(1))
            .batchHandler(() -> (connection, batch) -> {
              await(() -> !log.ofSlowHandlers.isEmpty());
              connection.reply(batch.buffer(), batch.offset(0), batch.length(0));
            })
            .start();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.echo((byte) 1);

      assertThat(log.ofSlowHandlers.get(0))
          .startsWith("WARNING handler holds the event loop for more than 1000 ms (");
    }
  }

  private static void await(Callable<Boolean> holds) {
    try {
      Await.until("it is reported", holds);
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * The inner call's end ended the outer one for the watchdog, and its begin hid how long that
   * takes.
   */
  @Test
  void callInsideACallIsPartOfIt() {
    LoopWatch watch = new LoopWatch(ImmediateEventExecutor.INSTANCE, 0);
    ConnectionSettings settings = FramedServer.builder().connectionSettings();
    Link outer = new QueueLink(settings, watch, false, connection -> {});
    Link inner = new QueueLink(settings, watch, false, connection -> {});
    watch.enter(outer);
    watch.enter(inner);
    assertThat(watch.inside()).isSameAs(outer);
    watch.exit();

    assertThat(watch.inside()).isSameAs(outer);
    assertThat(watch.entries()).isOne();
    watch.exit();
    assertThat(watch.inside()).isNull();
  }
}
