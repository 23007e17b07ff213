package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.FramedServers.awaitEmpty;
import static dev.mullion.framing.tcp.FramedServers.awaitFailed;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramePart;
import dev.mullion.framing.testing.Await;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a batch handler gets of a read in which its connection ends, or changes its format. */
@Timeout(60)
class BatchEndTest {
  /** Longer than a collected frame, so that it comes in parts. */
  private static final int LONG = 1 << 20;

  private final List<Integer> sizes = new CopyOnWriteArrayList<>();

  /** Notes how many frames it gets, and takes parts for frames of no interest. */
  private abstract class Noting implements BatchHandler {
    @Override
    public void frames(FramedConnection connection, FrameBatch batch) {
      sizes.add(batch.size());
      then(connection, batch);
    }

    abstract void then(FramedConnection connection, FrameBatch batch);
  }

  @Test
  void handlerThatHasThrownGetsNoMore() throws Exception {
    BatchHandler handler = new Noting() {
      @Override
      void then(FramedConnection connection, FrameBatch batch) {
        batch.endAfter(0); // the others would be next
        throw new IllegalStateException("thrown by the test");
      }
    };
    try (FramedServer server =
            FramedServer.builder().batchHandler(() -> handler).start();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.write(0, 0, 0, 1, 7, 0, 0, 0, 1, 8, 0, 0, 0, 1, 9);
      peer.expectClosed();
      awaitFailed(server, 1);
      awaitEmpty(server);

      assertThat(sizes).containsExactly(3);
      assertThat(server.counters().handlersFailed()).isOne();
      assertThat(server.counters().bytesNotHandled()).isEqualTo(10);
    }
  }

  @Test
  void handlerThatHasAbortedGetsNoMore() throws Exception {
    BatchHandler handler = new Noting() {
      @Override
      void then(FramedConnection connection, FrameBatch batch) {
        batch.endAfter(0);
        connection.abort();
      }
    };
    try (FramedServer server =
            FramedServer.builder().batchHandler(() -> handler).start();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.write(0, 0, 0, 1, 7, 0, 0, 0, 1, 8);
      peer.expectClosed();
      awaitEmpty(server);

      assertThat(sizes).containsExactly(2);
      assertThat(server.counters().bytesNotHandled()).isEqualTo(5);
    }
  }

  @Test
  void closingInsideALongFrameIsNoFailure() throws Exception {
    BatchHandler handler = new Noting() {
      @Override
      void then(FramedConnection connection, FrameBatch batch) {}

      @Override
      public void part(FramedConnection connection, FramePart part) {
        connection.reply(new byte[] {1});
        connection.closeWhenSent();
      }
    };
    try (FramedServer server =
            FramedServer.builder().parts(true).batchHandler(() -> handler).start();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.write(0, LONG >> 16, 0, 0, 1);
      assertThat(peer.receive()).containsExactly(1);
      peer.write(new int[LONG - 1]).halfClose();
      peer.expectClosed();
      awaitEmpty(server);

      assertThat(server.counters().connectionsFailed()).isZero();
      assertThat(server.counters().frames().framesTruncated()).isZero();
    }
  }

  @Test
  void bytesThatANewFormatTurnsIntoFramesAreNotHeld() throws Exception {
    FrameFormat oneByte = FrameFormat.builder().lengthFieldLength(1).build();
    BatchHandler handler = new Noting() {
      @Override
      void then(FramedConnection connection, FrameBatch batch) {
        if (sizes.size() == 1) {
          // After the read, when the two bytes of a header were collected.
          connection.sendAsync(new byte[] {1}).thenRun(() -> connection.format(oneByte));
        }
      }
    };
    try (FramedServer server =
            FramedServer.builder().batchHandler(() -> handler).start();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.write(0, 0, 0, 1, 7, 0, 0);
      assertThat(peer.receive()).containsExactly(1);
      Await.until("two empty frames", () -> sizes.equals(List.of(1, 2)));
      Await.until("no memory is held", () -> server.memoryUsed() == 0);
      assertThat(server.counters().connectionsOpen()).isOne();
    }
  }
}
