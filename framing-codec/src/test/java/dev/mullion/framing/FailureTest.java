package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.IllegalReferenceCountException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What goes wrong inside must not put a stream out of step. */
class FailureTest {
  @Test
  void frameThatWasReleasedBeforeLeavesNothingOnTheWire() {
    EmbeddedChannel channel = new EmbeddedChannel(LengthDelimitedCodec.create());
    ByteBuf gone = Unpooled.buffer().writeBytes(new byte[5]);
    gone.release();

    ChannelFuture failed = channel.write(gone);
    channel.writeAndFlush(Unpooled.wrappedBuffer(new byte[] {'a'}));

    // Its header once stayed in the gathering buffer.
    assertThat(failed.cause()).isInstanceOf(IllegalReferenceCountException.class);
    ByteBuf out = channel.readOutbound();
    assertThat(ByteBufUtil.hexDump(out)).isEqualTo("0000000161");
    out.release();
    FrameCounters counters = channel.pipeline().get(LengthDelimitedCodec.class).counters();
    assertThat(counters.framesEncoded()).isEqualTo(1);
    assertThat(counters.bytesEncoded()).isEqualTo(5);
    assertThat(counters.framesRefused()).isEqualTo(1);
    channel.finishAndReleaseAll();
  }

  @Test
  void endOfAReadWithoutBytesAsksForNoOther() {
    int[] reads = {0};
    EmbeddedChannel channel = new EmbeddedChannel(
        new ChannelOutboundHandlerAdapter() {
          @Override
          public void read(ChannelHandlerContext ctx) {
            reads[0]++;
          }
        },
        LengthDelimitedCodec.create());
    channel.config().setAutoRead(false);
    int before = reads[0];

    channel.pipeline().fireChannelReadComplete();
    assertThat(reads[0]).isEqualTo(before);

    channel.writeInbound(channel.alloc().buffer().writeByte(0));
    assertThat(reads[0]).as("bytes that made no frame").isEqualTo(before + 1);
    channel.writeInbound(channel.alloc().buffer().writeZero(3));
    channel.finishAndReleaseAll();
  }

  @Test
  void readerIsOutOfUseWhenItsStreamFailsUnchecked() throws IOException {
    byte[] wire = new byte[4 + 100_000];
    wire[1] = 1;
    wire[2] = (byte) 0x86;
    wire[3] = (byte) 0xA0;
    UncheckedIOException failure = new UncheckedIOException(new IOException("broken"));
    InputStream in = new InputStream() {
      private int at;

      @Override
      public int read() {
        throw new AssertionError("reads arrays only");
      }

      @Override
      public int read(byte[] to, int offset, int length) {
        if (at == 50_000) {
          at++;
          throw failure;
        }
        int read = Math.min(length, at < 50_000 ? 50_000 - at : wire.length - at);
        System.arraycopy(wire, at, to, offset, read);
        at += read;
        return read;
      }
    };
    FrameReader reader = FrameReader.of(in, FrameFormat.defaults());

    assertThatThrownBy(reader::read).isSameAs(failure);
    // It once took bytes of the payload for a header.
    assertThatThrownBy(reader::read)
        .isInstanceOf(IOException.class)
        .hasMessage("stream failed during a read: " + failure)
        .hasCause(failure);
  }

  @Test
  void writerIsOutOfUseWhenItsStreamFailsUnchecked() throws IOException {
    UncheckedIOException failure = new UncheckedIOException(new IOException("broken"));
    ByteArrayOutputStream wire = new ByteArrayOutputStream();
    OutputStream out = new OutputStream() {
      private boolean failed;

      @Override
      public void write(int b) {
        throw new AssertionError("writes arrays only");
      }

      @Override
      public void write(byte[] bytes, int offset, int length) {
        if (!failed) {
          failed = true;
          throw failure;
        }
        wire.write(bytes, offset, length);
      }
    };
    FrameWriter writer = FrameWriter.of(out, FrameFormat.defaults());
    writer.write(new byte[] {'a'});

    assertThatThrownBy(writer::flush).isSameAs(failure);
    // It once lost the frame and went on.
    assertThatThrownBy(() -> writer.write(new byte[] {'b'}))
        .isInstanceOf(IOException.class)
        .hasMessage("stream failed during a write: " + failure)
        .hasCause(failure);
    assertThat(wire.size()).isZero();
  }

  @Test
  void closedWriterRefusesFrames() throws IOException {
    FrameWriter writer = FrameWriter.of(new ByteArrayOutputStream(), FrameFormat.defaults());
    writer.close();

    assertThatThrownBy(() -> writer.write(new byte[] {'a'}))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("writer is closed");
  }

  @Test
  void encodingThatReadsANegativeLengthIsRefused() {
    FrameFormat format = FrameFormat.builder().lengthEncoding(new Wrong(-5, 2)).build();

    for (Decoding way : Decoding.values()) {
      assertThat(way.decode(format, List.of(new byte[] {1, 2, 3, 4})))
          .containsExactly("CorruptFrameException: lengthEncoding: Wrong[value=-5, moves=2] read -5"
              + " from 2 bytes (expected: >= 0 from 1 to 2 bytes) (frame 1)");
    }
  }

  @Test
  void encodingThatReadsNoByteIsRefused() {
    FrameFormat format = FrameFormat.builder().lengthEncoding(new Wrong(0, 0)).build();

    for (Decoding way : Decoding.values()) {
      // It once gave frames without end, each of no byte.
      assertThat(way.decode(format, List.of(new byte[] {1, 2, 3, 4})))
          .containsExactly("CorruptFrameException: lengthEncoding: Wrong[value=0, moves=0] read 0"
              + " from 0 bytes (expected: >= 0 from 1 to 2 bytes) (frame 1)");
    }
  }

  private record Wrong(long value, int moves) implements LengthEncoding {
    @Override
    public int minWidth() {
      return 1;
    }

    @Override
    public int maxWidth() {
      return 2;
    }

    @Override
    public long maxValue() {
      return 0xFFFF;
    }

    @Override
    public long read(ByteBuffer in) {
      if (in.remaining() < moves) {
        return INCOMPLETE;
      }
      in.position(in.position() + moves);
      return value;
    }

    @Override
    public void write(long length, ByteBuffer out) {
      out.putShort((short) length);
    }
  }
}
