package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import io.netty.util.concurrent.ImmediateEventExecutor;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Handlers that hold their event loop, and who is told. */
@Timeout(60)
class SlowHandlerTest {
  @Test
  void burstOfSlowCallsIsCountedEachAndLoggedOnceWithThePeer() throws Exception {
    try (FramedServers.Log log = new FramedServers.Log();
        FramedServer server = FramedServer.builder()
            .slowHandlerLimit(Duration.ofMillis(50))
            .batchHandler(() -> (connection, batch) -> {
              for (int i = 0; i < 3; i++) {
                LockSupport.parkNanos(100_000_000);
              }
              connection.reply(batch.buffer(), batch.offset(0), batch.length(0));
            })
            .start();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.echo((byte) 1).echo((byte) 2).echo((byte) 3);
      Await.until("it is counted", () -> server.counters().handlersSlow() == 3);

      assertThat(log.records).hasSize(1);
      assertThat(log.records.get(0))
          .startsWith("WARNING handler holds the event loop for more than 50 ms (slowHandlerLimit,"
              + " peer " + peer.address() + ")" + System.lineSeparator() + "\tat ")
          .contains("SlowHandlerTest");
      assertThat(server.counters().handlersFailed()).isZero();
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
      assertThat(log.records).isEmpty();
    }
  }

  @Test
  void limitIsWrittenWithoutAComma() throws Exception {
    try (FramedServers.Log log = new FramedServers.Log();
        FramedServer server = FramedServer.builder()
            .slowHandlerLimit(Duration.ofSeconds(1))
            .batchHandler(() -> (connection, batch) -> {
              await(() -> !log.records.isEmpty());
              connection.reply(batch.buffer(), batch.offset(0), batch.length(0));
            })
            .start();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.echo((byte) 1);

      assertThat(log.records.get(0))
          .startsWith("WARNING handler holds the event loop for more than 1000 ms (");
    }
  }

  private static void await(Callable<Boolean> holds) {
    try {
      Await.until("it is logged", holds);
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  /** The inner call's end ended the outer one for the watchdog, and its begin hid how long that takes. */
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
