package dev.mullion.framing;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.net.SocketAddress;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a decoder does outside of a pipeline; the codec's tests test how it decodes. */
class BatchDecoderTest {
  private static final FrameFormat ONE_BYTE =
      FrameFormat.builder().lengthFieldLength(1).build();
  private static final FrameFormat TWO_BYTES =
      FrameFormat.builder().lengthFieldLength(2).build();

  private final FrameCounters counters = new FrameCounters();
  private final Received received = new Received();
  private final BatchDecoder decoder =
      new BatchDecoder(ONE_BYTE, TooLargePolicy.CLOSE, true, counters, received);

  /** Notes what it gets, and does what the test wants with each batch. */
  private static final class Received implements BatchReceiver {
    private final List<String> events = new ArrayList<>();
    private Runnable afterFrames = () -> {};
    private int lastWanted = Integer.MAX_VALUE;

    @Override
    public void frames(FrameBatch batch) {
      if (batch.size() > lastWanted) {
        batch.endAfter(lastWanted - 1);
      }
      for (int i = 0; i < batch.size(); i++) {
        events.add(new String(batch.bytes(i), UTF_8));
      }
      afterFrames.run();
    }

    @Override
    public void part(FramePart part) {
      events.add("part of " + part.wireLength());
    }

    @Override
    public void failed(FramingException error) {
      events.add(String.valueOf(error.getMessage()));
    }

    @Override
    public void skipped() {
      events.add("skipped");
    }

    @Override
    public void rest(ByteBuf bytes) {
      events.add("rest of " + bytes.readableBytes());
      bytes.release();
    }

    @Override
    public @Nullable SocketAddress peer() {
      return null;
    }
  }

  @AfterEach
  void releaseRest() {
    decoder.stop();
  }

  private void add(String bytes) {
    decoder.add(Unpooled.copiedBuffer(bytes, UTF_8));
  }

  private BatchDecoder insideALongFrame() {
    BatchDecoder parted =
        new BatchDecoder(FrameFormat.defaults(), TooLargePolicy.CLOSE, true, counters, received);
    parted.add(Unpooled.wrappedBuffer(new byte[] {0, 0, 0x20, 0, 1}));
    return parted;
  }

  private BatchDecoder ofSmallFrames(TooLargePolicy policy) {
    FrameFormat format =
        FrameFormat.builder().lengthFieldLength(1).maxFrameLength(2).build();
    return new BatchDecoder(format, policy, false, counters, received);
  }

  @Test
  void framesOfOneBufferComeTogether() {
    add("\1a\2bc\3d");
    assertThat(received.events).containsExactly("a", "bc");
    assertThat(decoder.isInsideFrame()).isTrue();
    assertThat(decoder.bufferedBytes()).isEqualTo(2);

    add("ef");
    assertThat(received.events).containsExactly("a", "bc", "def");
    assertThat(decoder.isInsideFrame()).isFalse();
    assertThat(counters.framesDecoded()).isEqualTo(3);
    assertThat(counters.bytesDecoded()).isEqualTo(9);
  }

  @Test
  void stoppedDecoderPassesTheRestOn() {
    received.lastWanted = 1;
    received.afterFrames = decoder::stop;
    add("\1a\1b\1c");
    add("\1d");

    assertThat(received.events).containsExactly("a", "rest of 4", "rest of 2");
    assertThat(decoder.isStopped()).isTrue();
    assertThat(counters.framesDecoded()).isEqualTo(1);
  }

  @Test
  void stoppedDecoderPassesOnWhatItHasCollected() {
    add("\3a");
    decoder.stop();

    assertThat(received.events).containsExactly("rest of 2");
    assertThat(decoder.isInsideFrame()).isFalse();
  }

  @Test
  void formatChangesBehindTheBatch() {
    received.lastWanted = 1;
    received.afterFrames = () -> decoder.format(TWO_BYTES);
    add("\1a\0\1b");

    assertThat(received.events).containsExactly("a", "b");
  }

  @Test
  void collectedBytesAreDecodedInTheNewFormat() {
    add("\2a");
    decoder.format(
        FrameFormat.builder().lengthFieldLength(1).lengthAdjustment(-1).build());

    assertThat(received.events).containsExactly("a");
  }

  @Test
  void formatCannotChangeInsideAFrameInParts() {
    BatchDecoder parted = insideALongFrame();

    assertThat(received.events).containsExactly("part of 5");
    assertThatThrownBy(() -> parted.format(ONE_BYTE))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("format cannot change inside a frame delivered in parts or skipped");
  }

  @Test
  void bytesAddedMeanwhileFollow() {
    received.afterFrames = () -> {
      received.afterFrames = () -> {};
      add("\1b");
      assertThat(received.events).containsExactly("a");
    };
    add("\1a");

    assertThat(received.events).containsExactly("a", "b");
  }

  @Test
  void endInsideAFrameIsReportedOnce() {
    add("\3a");
    decoder.end();
    decoder.end();

    assertThat(received.events)
        .containsExactly("stream ended inside a frame: 1 of 3 payload bytes (frame 1)");
    assertThat(counters.bytesDiscarded()).isEqualTo(2);
    assertThat(decoder.isFailed()).isFalse();
  }

  @Test
  void bytesAfterAFinalErrorAreDiscarded() {
    BatchDecoder small = ofSmallFrames(TooLargePolicy.CLOSE);
    small.add(Unpooled.copiedBuffer("\1a\3bcd\1e", UTF_8));

    assertThat(received.events)
        .containsExactly("a", "frame length 3 exceeds maxFrameLength 2 (frame 2)");
    assertThat(small.isFailed()).isTrue();
    assertThat(counters.bytesDiscarded()).isEqualTo(6);
  }

  @Test
  void endBehindAStopIsInNoFrame() {
    BatchDecoder parted = insideALongFrame();
    parted.stop();
    assertThat(parted.isInsideFrame()).isFalse();
    parted.add(Unpooled.wrappedBuffer(new byte[] {2, 3}));
    parted.end();

    assertThat(received.events).containsExactly("part of 5", "rest of 2");
    assertThat(counters.framesTruncated()).isZero();
  }

  @Test
  void skippedFrameEndsOnce() {
    BatchDecoder small = ofSmallFrames(TooLargePolicy.SKIP);
    small.add(Unpooled.copiedBuffer("\3b", UTF_8));
    small.add(Unpooled.copiedBuffer("cd\1e\3x", UTF_8));
    assertThat(received.events).containsExactly("skipped", "e");

    small.stop();
    small.end();
    assertThat(received.events).containsExactly("skipped", "e");
    assertThat(counters.framesTruncated()).isZero();
  }

  @Test
  void bytesAfterTheEndAreDiscarded() {
    decoder.end();
    add("\1a\3b");

    assertThat(received.events).isEmpty();
    assertThat(decoder.bufferedBytes()).isZero();
    assertThat(counters.bytesDiscarded()).isEqualTo(4);
  }
}
