package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameTooLargeException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.concurrent.ImmediateEventExecutor;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class OutboundTest {
  private final QueueLink link = new QueueLink(
      FramedServer.builder().connectionSettings(),
      new LoopWatch(ImmediateEventExecutor.INSTANCE, 0),
      false,
      opened -> {});
  private final EmbeddedChannel channel = new EmbeddedChannel(link);

  @AfterEach
  void close() {
    channel.finishAndReleaseAll();
  }

  /** It was woken while the sender held the lock, and had to wait for it at once. */
  @Test
  void eventLoopIsWokenOnceTheLockIsFree() throws Exception {
    channel.runPendingTasks();
    Outbound queue = link.outbound();

    byte[] frame = {7};
    Object ready = queue.sendLock.lockFor(frame, false);
    queue.append(ready, Place.NOBODY);
    queue.append(ready, Place.NOBODY);
    assertThat(channel.hasPendingTasks()).isFalse();
    queue.sendLock.unlock(ready, frame);
    assertThat(channel.hasPendingTasks()).isTrue();

    channel.runPendingTasks();
    ByteBuf sent = channel.readOutbound();
    assertThat(sent.nioBuffer())
        .isEqualTo(ByteBuffer.wrap(new byte[] {0, 0, 0, 1, 7, 0, 0, 0, 1, 7}));
    sent.release();
    queue.lock.lock();
    queue.unlock();
    assertThat(channel.hasPendingTasks()).isFalse();
  }

  /** Its buffer, as large as the frame, was kept until the next frame was sent. */
  @Test
  void nothingIsHeldForAFrameThatIsTooLarge() {
    UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
    channel.config().setAllocator(allocator);
    byte[] frame = new byte[FrameFormat.defaults().maxFrameLength() + 1];

    assertThatThrownBy(() -> new Sending(link).trySend(frame))
        .isInstanceOf(FrameTooLargeException.class);

    channel.runPendingTasks();
    channel.releaseOutbound();
    assertThat(allocator.metric().usedDirectMemory()).isZero();
    assertThat(allocator.metric().usedHeapMemory()).isZero();
  }

  /** As it does when the event loop has ended. */
  @Test
  void encodedFrameIsReleasedIfUnlockingFails() {
    ByteBuf encoded = Unpooled.buffer(1);

    assertThatThrownBy(() -> link.outbound().sendLock.unlock(encoded, new byte[1]))
        .isInstanceOf(IllegalMonitorStateException.class);

    assertThat(encoded.refCnt()).isZero();
  }
}
