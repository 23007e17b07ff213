package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import java.time.Duration;
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
}
