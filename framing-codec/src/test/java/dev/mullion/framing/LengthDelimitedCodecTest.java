package dev.mullion.framing;

import static dev.mullion.framing.Recorder.frame;
import static dev.mullion.framing.TestBytes.read;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** What the codec is built with. The files {@code Codec...Test} have what it does. */
class LengthDelimitedCodecTest {
  @Test
  void hasTheDefaultFormatAndCountersOfItsOwn() {
    LengthDelimitedCodec codec = LengthDelimitedCodec.create();

    assertThat(codec.format()).isEqualTo(FrameFormat.defaults());
    assertThat(codec.counters()).isNotSameAs(LengthDelimitedCodec.create().counters());
  }

  @Test
  void builderMakesSeveral() {
    LengthDelimitedCodec.Builder builder =
        LengthDelimitedCodec.builder().format(FrameFormat.dnsOverTcp());

    assertThat(builder.build()).isNotSameAs(builder.build());
    assertThat(builder.build().format()).isEqualTo(FrameFormat.dnsOverTcp());
  }

  @Test
  void codecsMayShareTheirCounters() {
    FrameCounters shared = new FrameCounters();
    LengthDelimitedCodec.Builder builder = LengthDelimitedCodec.builder().counters(shared);
    try (CodecChannel first = new CodecChannel(builder.build());
        CodecChannel second = new CodecChannel(builder.build())) {
      first.read("00000001 41");
      second.read("00000002 4243  FFFFFFFF");

      assertThat(first.events()).containsExactly(frame("41"));
      assertThat(shared)
          .hasToString("FrameCounters[framesDecoded=2, bytesDecoded=11, framesEncoded=0,"
              + " bytesEncoded=0, framesTooLarge=1, framesCorrupt=0, framesTruncated=0,"
              + " framesRefused=0, bytesDiscarded=4]");
    }
  }

  @Test
  @SuppressWarnings("NullAway") // It is what the test is about.
  void nullSettingsAreNamed() {
    isNull(() -> LengthDelimitedCodec.of(null), "format");
    isNull(() -> LengthDelimitedCodec.builder().format(null), "format");
    isNull(() -> LengthDelimitedCodec.builder().tooLargePolicy(null), "tooLargePolicy");
    isNull(() -> LengthDelimitedCodec.builder().counters(null), "counters");
  }

  private static void isNull(ThrowingCallable call, String name) {
    assertThatThrownBy(call).isExactlyInstanceOf(NullPointerException.class).hasMessage(name);
  }

  @Test
  void encodedFramesKeepTheirNumber() {
    EncodedFrames two = new EncodedFrames(read("0001 41 0001 42"), 2);
    EncodedFrames copy = two.copy();

    assertThat(copy.size()).isEqualTo(2);
    assertThat(copy).isEqualTo(two).hasSameHashCodeAs(two);
    assertThat(((EncodedFrames) two.retainedDuplicate()).size()).isEqualTo(2);
    two.release(2);
    copy.release();
  }

  @Test
  void numberOfEncodedFramesIsNotNegative() {
    var wire = read("");
    assertThatThrownBy(() -> new EncodedFrames(wire, -1))
        .isExactlyInstanceOf(IllegalArgumentException.class)
        .hasMessage("size: -1 (expected: >= 0)");
    assertThat(wire.refCnt()).as("released, since it was handed over").isZero();
  }
}
