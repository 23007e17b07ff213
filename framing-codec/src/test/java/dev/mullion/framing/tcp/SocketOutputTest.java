package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.ExhaustedAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Counts copies by the buffers that reach the socket, and what waits by its own figures. */
class SocketOutputTest {
  private final SocketOutput output = new SocketOutput();
  private final Socket channel = new Socket(output);
  private final ByteBuf read = Unpooled.directBuffer(64 * 1024).writeZero(64 * 1024);

  /** A socket that accepts nothing while it is full. */
  private static final class Socket extends EmbeddedChannel {
    private final List<ByteBuf> written = new ArrayList<>();
    private boolean full;

    Socket(SocketOutput output) {
      super(output);
    }

    @Override
    protected void doWrite(ChannelOutboundBuffer queue) {
      while (!full && queue.current() instanceof ByteBuf buffer) {
        written.add(buffer.retain());
        queue.remove();
      }
    }
  }

  @AfterEach
  void release() {
    channel.full = false;
    channel.flush();
    channel.written.forEach(ByteBuf::release);
    channel.finishAndReleaseAll();
    read.release();
  }

  private ByteBuf reply(int length) {
    return read.retainedSlice(0, length);
  }

  private static ByteBuf rootOf(ByteBuf buffer) {
    return buffer.unwrap() == null ? buffer : rootOf(buffer.unwrap());
  }

  /** The second was once copied, because the first one waited for the flush at the read's end. */
  @Test
  void severalRepliesOfOneReadAreNotCopied() {
    for (int i = 0; i < 3; i++) {
      channel.write(reply(10));
    }
    channel.flush();

    assertThat(channel.written)
        .hasSize(3)
        .allSatisfy(each -> assertThat(rootOf(each)).isSameAs(rootOf(read)));
    assertThat(output.sent()).isEqualTo(30);
  }

  @Test
  void replyThatMustWaitDoesNotKeepAWholeReadBuffer() {
    channel.full = true;
    channel.writeAndFlush(Unpooled.buffer(10).writeZero(10));
    channel.write(reply(10));
    assertThat(output.pending()).isEqualTo(20);
    assertThat(output.memory()).isLessThan(100);

    channel.full = false;
    channel.flush();
    assertThat(rootOf(channel.written.get(1))).isNotSameAs(rootOf(read));
    assertThat(output.pending()).isZero();
    assertThat(output.memory()).isZero();
    assertThat(output.sent()).isEqualTo(20);
  }

  @Test
  void replyThatFillsItsBufferWaitsInIt() {
    channel.full = true;
    channel.writeAndFlush(Unpooled.buffer(10).writeZero(10));
    channel.write(reply(60 * 1024));
    channel.full = false;
    channel.flush();

    assertThat(rootOf(channel.written.get(1))).isSameAs(rootOf(read));
  }

  /** The copy only saves memory. */
  @Test
  void withoutMemoryForACopyTheReplyWaitsInItsReadBuffer() {
    channel.full = true;
    channel.writeAndFlush(Unpooled.buffer(10).writeZero(10));
    channel.config().setAllocator(new ExhaustedAllocator());
    channel.write(reply(10));
    assertThat(output.pending()).isEqualTo(20);

    channel.full = false;
    channel.flush();
    assertThat(rootOf(channel.written.get(1))).isSameAs(rootOf(read));
    assertThat(output.sent()).isEqualTo(20);
  }
}
