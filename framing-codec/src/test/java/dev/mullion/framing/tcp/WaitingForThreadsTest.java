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
 * A single thread for blocking handlers, which is taken. The second connection was once accepted
 * and never served, with no counter and no word.
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

  private FramedServerBuilder server(Pool pool) {
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

  /** One that had gone was counted, and held what it had sent, until its time was over. */
  @ParameterizedTest
  @EnumSource
  void connectionThatBreaksWaitsNoMore(Pool pool) throws Exception {
    try (FramedServer server = server(pool).maxConnections(3).start();
        EchoPeer first = served(server)) {
      EchoPeer gone = EchoPeer.of(server);
      awaitWaiting(server, 1);
      gone.reset();

      awaitWaiting(server, 0);
      FramedServers.awaitOpen(server, 1);
      assertThat(server.counters().connectionsNotServed()).isOne();
      assertThat(server.counters().handlersFailed()).isZero();
      release.countDown();
      first.echo((byte) 7);
    }
  }

  /** Those who come and go would else fill an executor's queue that gives nothing back. */
  @ParameterizedTest
  @EnumSource
  void executorHoldsNoMoreThanMayBeOpen(Pool pool) throws Exception {
    try (FramedServer server = server(pool).maxConnections(3).start();
        EchoPeer first = served(server)) {
      int refused = pool == Pool.WRAPPED ? 2 : 0;
      for (int i = 0; i < 5; i++) {
        EchoPeer each = EchoPeer.of(server);
        if (i < 5 - refused) {
          awaitWaiting(server, 1);
          each.reset();
        } else {
          each.expectClosed();
        }
        awaitWaiting(server, 0);
        FramedServers.awaitOpen(server, 1);
      }

      assertThat(server.counters().connectionsNotServed()).isEqualTo(5);
      release.countDown();
      first.socket.close();
      FramedServers.awaitEmpty(server);
      served(server).close();
    }
  }

  /** It may still read, and what it has sent is not lost. */
  @ParameterizedTest
  @EnumSource
  void peerThatHasOnlyEndedItsSideStillWaits(Pool pool) throws Exception {
    try (FramedServer server = server(pool).start();
        EchoPeer first = served(server);
        EchoPeer second = EchoPeer.of(server).send(new byte[5]).halfClose()) {
      awaitWaiting(server, 1);
      release.countDown();
      first.socket.close();

      assertThat(second.receive()).hasSize(1);
      assertThat(second.receive()).hasSize(5);
      assertThat(second.receive()).isNull();
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
