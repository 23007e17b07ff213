package dev.mullion.framing;

import static dev.mullion.framing.TestBytes.hex;
import static dev.mullion.framing.TestBytes.read;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class FrameBatchTest {
  private static final FrameFormat FORMAT = FrameFormat.builder()
      .lengthFieldLength(2)
      .afterLength((byte) 0xF0)
      .lengthAdjustment(1)
      .build();

  @Test
  void saysWhereTheFramesAre() {
    ByteBuf read = read("FFFF  0002F0 4142  0000F0  0001F0 43  0009F0");
    read.skipBytes(2);

    int batches = decode(read, batch -> {
      assertThat(batch.size()).isEqualTo(3);
      assertThat(batch.buffer()).isSameAs(read);
      assertThat(offsets(batch)).containsExactly(5, 10, 13);
      assertThat(lengths(batch)).containsExactly(2, 0, 1);
      assertThat(batch.wireOffset()).isEqualTo(2);
      assertThat(batch.wireLength()).isEqualTo(12);
    });

    assertThat(batches).isOne();
  }

  @Test
  void saysWhereAFrameFromSeveralReadsIs() {
    int batches = decode(List.of(read("0002F0 41"), read("42  0001F0 43")), batch -> {
      assertThat(batch.size()).isOne();
      ByteBuf wire = batch.buffer().slice(batch.wireOffset(), batch.wireLength());
      ByteBuf frame = batch.buffer().slice(batch.offset(0), batch.length(0));
      assertThat(hex(wire)).isIn("0002F04142", "0001F043");
      assertThat(hex(wire)).endsWith(hex(frame));
    });

    assertThat(batches).isEqualTo(2);
  }

  @Test
  void bytesOfAFrameAreACopy() {
    decode(read("0002F0 4142  0000F0"), batch -> {
      byte[] bytes = batch.bytes(0);
      bytes[0]++;
      assertThat(batch.bytes(0)).containsExactly(0x41, 0x42);
      assertThat(batch.bytes(1)).isEmpty();
    });
  }

  @Test
  void framesBehindTheEndOfABatchComeAgain() {
    List<String> seen = new ArrayList<>();

    decode(read("0002F0 4142  0000F0  0001F0 43"), batch -> {
      batch.endAfter(0);
      assertThat(batch.size()).isOne();
      assertThatThrownBy(() -> batch.offset(1)).isInstanceOf(IndexOutOfBoundsException.class);
      EncodedFrames encoded = batch.encoded();
      seen.add(encoded.size() + ": " + hex(encoded.content()));
      encoded.release();
    });

    assertThat(seen).containsExactly("1: 0002F04142", "1: 0000F0", "1: 0001F043");
  }

  @Test
  void retainedFrameOutlivesTheBatch() {
    List<ByteBuf> kept = new ArrayList<>();
    ByteBuf read = read("0002F0 4142  0001F0 43");

    decode(read, batch -> kept.add(batch.retainedFrame(0)));

    assertThat(hex(kept.get(0))).isEqualTo("4142");
    assertThat(read.refCnt()).isOne();
    kept.get(0).release();
    assertThat(read.refCnt()).isZero();
  }

  @Test
  void encodedFramesAreTheBytesThatCame() {
    List<EncodedFrames> kept = new ArrayList<>();
    ByteBuf read = read("0002F0 4142  0001F0 43  0004F0 44");
    long address = read.memoryAddress();

    decode(read, batch -> kept.add(batch.encoded()));

    EncodedFrames encoded = kept.get(0);
    assertThat(encoded.size()).isEqualTo(2);
    assertThat(hex(encoded.content())).isEqualTo("0002F041420001F043");
    assertThat(encoded.content().memoryAddress()).as("no copy").isEqualTo(address);
    encoded.release();
    assertThat(read.refCnt()).isZero();
  }

  @Test
  void isEmptyOnceTheHandlerHasReturned() {
    List<FrameBatch> kept = new ArrayList<>();

    decode(read("0002F0 4142"), kept::add);

    FrameBatch batch = kept.get(0);
    assertThat(batch.size()).isZero();
    assertThat(batch.buffer().isReadable()).isFalse();
    assertThatThrownBy(() -> batch.offset(0))
        .isInstanceOf(IndexOutOfBoundsException.class)
        .hasMessage("Index 0 out of bounds for length 0");
  }

  @Test
  void frameThatIsNotThereIsRefused() {
    decode(read("0002F0 4142"), batch -> {
      assertThatThrownBy(() -> batch.offset(1))
          .isInstanceOf(IndexOutOfBoundsException.class)
          .hasMessage("Index 1 out of bounds for length 1");
      assertThatThrownBy(() -> batch.length(-1))
          .isInstanceOf(IndexOutOfBoundsException.class)
          .hasMessage("Index -1 out of bounds for length 1");
      assertThatThrownBy(() -> batch.retainedFrame(1))
          .isInstanceOf(IndexOutOfBoundsException.class)
          .hasMessage("Index 1 out of bounds for length 1");
    });
  }

  /** A handler that hands each batch to another channel is still inside its own channelRead. */
  @Test
  void isNotTouchedByAnotherChannelOfTheSameThread() {
    List<String> inner = new ArrayList<>();
    List<String> outer = new ArrayList<>();

    decode(read("0002F0 4142  0001F0 43"), batch -> {
      decode(read("0001F0 58  0001F0 59  0001F0 5A"), nested -> inner.addAll(frames(nested)));
      decode(read("0001F0 57"), nested -> inner.addAll(frames(nested)));
      outer.addAll(frames(batch));
    });

    assertThat(inner).containsExactly("58", "59", "5A", "57");
    assertThat(outer).containsExactly("4142", "43");
  }

  private static int decode(ByteBuf read, Consumer<FrameBatch> handler) {
    return decode(List.of(read), handler);
  }

  private static int decode(List<ByteBuf> reads, Consumer<FrameBatch> handler) {
    int[] batches = {0};
    EmbeddedChannel channel = new EmbeddedChannel(
        LengthDelimitedCodec.builder().format(FORMAT).batches(true).build(),
        new ChannelInboundHandlerAdapter() {
          @Override
          public void channelRead(ChannelHandlerContext ctx, Object msg) {
            batches[0]++;
            handler.accept((FrameBatch) msg);
          }

          @Override
          public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            if (!(cause instanceof TruncatedFrameException)) {
              ctx.fireExceptionCaught(cause);
            }
          }
        });
    reads.forEach(channel::writeInbound);
    channel.finishAndReleaseAll();
    return batches[0];
  }

  private static List<Integer> offsets(FrameBatch batch) {
    List<Integer> offsets = new ArrayList<>();
    for (int i = 0; i < batch.size(); i++) {
      offsets.add(batch.offset(i));
    }
    return offsets;
  }

  private static List<Integer> lengths(FrameBatch batch) {
    List<Integer> lengths = new ArrayList<>();
    for (int i = 0; i < batch.size(); i++) {
      lengths.add(batch.length(i));
    }
    return lengths;
  }

  private static List<String> frames(FrameBatch batch) {
    List<String> frames = new ArrayList<>();
    for (int i = 0; i < batch.size(); i++) {
      frames.add(hex(batch.buffer().slice(batch.offset(i), batch.length(i))));
    }
    return frames;
  }
}
