package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.concurrent.ImmediateEventExecutor;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** What the bytes that wait for a handler take. */
class InboxTest {
  /**
   * Each read had a buffer of its own: a peer that sent byte by byte took a hundred times its
   * bound.
   */
  @Test
  void bytesThatComeOneByOneShareTheirMemory() throws Exception {
    int count = 256 * 1024;
    ConnectionSettings settings = FramedServer.builder().connectionSettings();
    LoopWatch watch = new LoopWatch(ImmediateEventExecutor.INSTANCE, 0);
    CompletableFuture<FramedConnection> opened = new CompletableFuture<>();
    EmbeddedChannel channel =
        new EmbeddedChannel(new QueueLink(settings, watch, false, opened::complete));
    final FramedConnection connection = opened.get();
    System.gc();
    long before = heapUsed();
    for (int i = 0; i < count; i++) {
      channel.pipeline().fireChannelRead(Unpooled.buffer(1).writeByte(i * 31));
    }

    Await.until("what is held is a few times the bytes", () -> {
      System.gc();
      return heapUsed() - before < 8L * count;
    });
    byte[] came = connection.takeReceivedBytes();
    assertThat(came).hasSize(count);
    for (int i = 0; i < count; i++) {
      assertThat(came[i]).isEqualTo((byte) (i * 31));
    }
    channel.close();
  }

  private static long heapUsed() {
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }
}
