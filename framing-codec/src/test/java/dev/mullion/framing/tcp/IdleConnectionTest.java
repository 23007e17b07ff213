package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.concurrent.FastThreadLocal;
import io.netty.util.concurrent.ImmediateEventExecutor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A server has many connections that do nothing, so each has only what it needs then. */
class IdleConnectionTest {
  private final ConnectionSettings settings = FramedServer.builder().connectionSettings();
  private final LoopWatch watch = new LoopWatch(ImmediateEventExecutor.INSTANCE, 0);

  @AfterEach
  void endOfTheThread() {
    FastThreadLocal.removeAll();
  }

  @Test
  void connectionHasOneHandler() {
    EmbeddedChannel channel = new EmbeddedChannel();
    Handling.batches(() -> EchoServer.ECHO).addTo(channel.pipeline(), settings, watch, false);

    assertThat(channel.pipeline().toMap().values())
        .hasSize(1)
        .first()
        .isInstanceOf(BatchLink.class);
    channel.finishAndReleaseAll();
  }

  @Test
  void connectionsOfALoopShareTheirReads() {
    ReadBuffers reads = Sockets.reads(settings, false);

    assertThat(reads.newHandle()).isSameAs(reads.newHandle());
  }

  @Test
  void nextConnectionCountsItsOutputWithWhatTheLastOneUsed() {
    UnsentBuffers first = UnsentBuffers.acquire();
    first.add(Unpooled.wrappedBuffer(new byte[3]));
    UnsentBuffers other = UnsentBuffers.acquire();
    assertThat(other).isNotSameAs(first);
    assertThat(first.pending()).isEqualTo(3);
    first.recycle();

    UnsentBuffers next = UnsentBuffers.acquire();
    assertThat(next).isSameAs(first);
    assertThat(next.pending()).isZero();
    assertThat(next.held()).isZero();
  }

  /**
   * The channel copies what is on the heap, as TLS of the JDK encrypts into, and releases it. The
   * pool returned the same object for the next buffer, which was not counted.
   */
  @Test
  void heapBufferThatIsUsedAgainIsCountedAgain() {
    UnsentBuffers unsent = UnsentBuffers.acquire();
    ByteBuf encrypted = Unpooled.buffer(64).writeZero(48);

    unsent.add(encrypted);
    unsent.add(encrypted);

    assertThat(unsent.held()).isEqualTo(2 * 48);
    unsent.keepLast(0);
  }

  /** The counts of any number of buffers, taken away in their order. */
  @Test
  void buffersThatWaitAreCountedInTheirOrder() {
    UnsentBuffers unsent = UnsentBuffers.acquire();
    long pending = 0;
    for (int length = 1; length <= 100; length++) {
      unsent.add(Unpooled.wrappedBuffer(new byte[length]));
      pending += length;
    }
    for (int length = 1; length <= 100; length++) {
      assertThat(unsent.pending()).isEqualTo(pending);
      assertThat(unsent.held()).isEqualTo(pending);
      unsent.keepLast(100 - length);
      pending -= length;
    }
    assertThat(unsent.pending()).isZero();
  }
}
