package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.util.concurrent.FastThreadLocal;
import java.lang.reflect.Proxy;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ReadBuffersTest {
  private static final PooledByteBufAllocator POOL = PooledByteBufAllocator.DEFAULT;

  @SuppressWarnings("deprecation") // Netty's interface names its deprecated type.
  private final RecvByteBufAllocator.Handle handle =
      new ReadBuffers(1024, new MemoryBudget(1024 * 1024, 1024)).newHandle();

  @AfterEach
  void endOfTheThread() {
    FastThreadLocal.removeAll();
  }

  @Test
  void bufferThatNobodyUsesIsUsedAgain() {
    ByteBuf first = handle.allocate(POOL);
    first.writeByte(1);
    first.release();

    ByteBuf second = handle.allocate(POOL);

    assertThat(second).isSameAs(first);
    assertThat(second.readableBytes()).isZero();
    assertThat(second.writableBytes()).isEqualTo(1024);
    second.release();
  }

  @Test
  void readIsNoLongerThanThereIsRoomFor() {
    int[] room = {4096};
    @SuppressWarnings("deprecation") // Netty's interface names its deprecated type.
    RecvByteBufAllocator.Handle own = new ReadBuffers(1024, new MemoryBudget(1024 * 1024, 1024))
        .upTo(2048, () -> room[0])
        .newHandle();

    ByteBuf whole = own.allocate(POOL);
    room[0] = 100;
    ByteBuf rest = own.allocate(POOL);

    assertThat(whole.writableBytes()).isEqualTo(2048);
    assertThat(rest.writableBytes()).isEqualTo(100);
    whole.release();
    rest.release();
  }

  @Test
  void bufferInUseStaysWithItsUser() {
    ByteBuf first = handle.allocate(POOL);
    ByteBuf reply = first.writeByte(1).retainedSlice();
    first.release();

    ByteBuf second = handle.allocate(POOL);
    second.writeByte(2);

    assertThat(second).isNotSameAs(first);
    assertThat(reply.getByte(0)).isEqualTo((byte) 1);
    second.release();
    assertThat(reply.refCnt()).isEqualTo(1);
    reply.release();
  }

  @Test
  void failedAllocationLeavesTheBufferInUseAlone() {
    ByteBuf first = handle.allocate(POOL);
    ByteBuf reply = first.writeByte(1).retainedSlice();
    first.release();
    OutOfMemoryError failure = new OutOfMemoryError("no direct memory");
    ByteBufAllocator full = (ByteBufAllocator) Proxy.newProxyInstance(
        getClass().getClassLoader(),
        new Class<?>[] {ByteBufAllocator.class},
        (self, call, args) -> {
          throw failure;
        });

    assertThatThrownBy(() -> handle.allocate(full)).isSameAs(failure);

    // The loop once forgot that it held the buffer no more, and read the next peer's bytes into it.
    ByteBuf second = handle.allocate(POOL);
    second.writeByte(2);
    assertThat(reply.getByte(0)).isEqualTo((byte) 1);
    second.release();
    reply.release();
  }
}
