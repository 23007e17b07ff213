package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A single thread for blocking handlers, which is taken. The second connection was once accepted and
 * never served, with no counter and no word.
 */
@Timeout(60)
class WaitingForThreadsTest {
  /** The executors of one thread, the library's own and those of a user. */
  @SuppressWarnings("ImmutableEnumChecker") // No supplier has a state.
  private enum Pool {
    OWN(() -> HandlerThreads.platform(1)),
    FIXED(() -> Executors.newFixedThreadPool(1)),
    WRAPPED(() -> Executors.newSingleThreadExecutor());

    private final Supplier<ExecutorService> made;

    Pool(Supplier<ExecutorService> made) {
      this.made = made;
    }
  }

  private final CountDownLatch release = new CountDownLatch(1);
  private final List<ExecutorService> pools = new ArrayList<>();

  @AfterEach
  void end() throws Exception {
    release.countDown();
    for (ExecutorService pool : pools) {
      pool.shutdown();
      assertThat(pool.awaitTermination(20, TimeUnit.SECONDS)).isTrue();
    }
  }

  private FramedServer.Builder server(Pool pool) {
    ExecutorService threads = pool.made.get();
    pools.add(threads);
    Executor executor = threads;
    return FramedServer.builder().executor(executor).handler(connection -> {
      connection.send(new byte[1]);
      release.await();
      for (byte[] frame : connection) {
        connection.send(frame);
      }
    });
  }

  private static void awaitWaiting(FramedServer server, int connections) throws Exception {
    Await.until(
        connections + " waiting connections",
        () -> server.counters().connectionsWaiting() == connections);
  }

  private static EchoPeer served(FramedServer server) throws Exception {
    EchoPeer peer = EchoPeer.of(server);
    assertThat(peer.receive()).hasSize(1);
    return peer;
  }

  @ParameterizedTest
  @EnumSource
  void connectionThatWaitsIsServedWhenAThreadIsFree(Pool pool) throws Exception {
    try (FramedServer server = server(pool).start();
        EchoPeer first = served(server);
        EchoPeer second = EchoPeer.of(server)) {
      awaitWaiting(server, 1);
      release.countDown();
      first.socket.close();

      assertThat(second.receive()).hasSize(1);
      second.echo((byte) 7);
      awaitWaiting(server, 0);
      assertThat(server.counters().connectionsNotServed()).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource
  void connectionThatWaitsForTooLongIsClosedCountedAndLogged(Pool pool) throws Exception {
    try (FramedServers.Log log = new FramedServers.Log();
        FramedServer server =
            server(pool).handlerThreadTimeout(Duration.ofMillis(50)).start();
        EchoPeer first = served(server);
        EchoPeer second = EchoPeer.of(server)) {
      second.send(new byte[10]).expectClosed();

      awaitWaiting(server, 0);
      FramedServers.awaitOpen(server, 1);
      assertThat(server.counters().connectionsNotServed()).isOne();
      assertThat(server.counters().handlersFailed()).isZero();
      assertThat(log.records)
          .containsExactly(
              "WARNING no handler thread was free in 50 ms (handlerThreadTimeout, peer "
                  + second.address() + ")");
      release.countDown();
      first.echo((byte) 7);
    }
  }

  /** Those who come and go would else fill the executor's queue without a bound. */
  @ParameterizedTest
  @EnumSource
  void moreThanMayBeOpenDoNotWait(Pool pool) throws Exception {
    try (FramedServer server = server(pool).maxConnections(3).start();
        EchoPeer first = served(server)) {
      for (int i = 0; i < 3; i++) {
        EchoPeer.of(server).reset();
        awaitWaiting(server, i + 1);
        FramedServers.awaitOpen(server, 1);
      }
      EchoPeer.of(server).expectClosed();

      awaitWaiting(server, 3);
      assertThat(server.counters().connectionsNotServed()).isOne();
      release.countDown();
      first.socket.close();
      awaitWaiting(server, 0);
    }
  }

  @ParameterizedTest
  @EnumSource
  void stopLetsNobodyWait(Pool pool) throws Exception {
    FramedServer server = server(pool).closeTimeout(Duration.ofMillis(100)).start();
    try (EchoPeer first = served(server);
        EchoPeer second = EchoPeer.of(server)) {
      awaitWaiting(server, 1);

      server.close();

      assertThat(server.counters().connectionsWaiting()).isZero();
      assertThat(server.counters().connectionsNotServed()).isOne();
      second.expectClosed();
      release.countDown();
      first.expectClosed();
    }
  }
}
