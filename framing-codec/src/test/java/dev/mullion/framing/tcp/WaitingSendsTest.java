package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.FramedServers.awaitEmpty;
import static dev.mullion.framing.tcp.FramedServers.fill;
import static org.assertj.core.api.Assertions.assertThat;

import java.net.Socket;
import java.net.StandardSocketOptions;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Frames that wait for room. */
@Timeout(60)
class WaitingSendsTest {
  /** They were so without a bound, having no bytes. */
  @Test
  void emptyFramesThatWaitAreBoundedToo() throws Exception {
    CompletableFuture<FramedConnection> accepted = new CompletableFuture<>();
    Socket slow = new Socket();
    // Those of the kernel would be filled little by little, as they grow.
    slow.setReceiveBufferSize(16 * 1024);
    try (FramedServer server = FramedServer.builder()
            .outboundHighWaterMark(64 * 1024)
            .option(StandardSocketOptions.SO_SNDBUF, 16 * 1024)
            .handler(connection -> {
              accepted.complete(connection);
              connection.receive();
            })
            .start();
        EchoPeer bad = EchoPeer.of(server, slow)) {
      FramedConnection connection = accepted.get(20, TimeUnit.SECONDS);
      fill(connection, server, new byte[1000]);
      long refusedBefore = server.counters().sendsRefused();
      CompletableFuture<Void> last = connection.sendAsync(new byte[0]);
      for (int i = 0; i < 100_000 && server.counters().sendsRefused() == refusedBefore; i++) {
        last = connection.sendAsync(new byte[0]);
      }

      assertThat(last)
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isInstanceOf(FrameNotSentException.class)
          .withMessage("frame of 0 bytes is not sent: 0 bytes in 1025 frames are already waiting"
              + " (outboundHighWaterMark: 65536, peer " + bad.address() + ")");
      bad.reset();
      awaitEmpty(server);
    }
  }
}
