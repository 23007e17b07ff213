package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Frames of one length in a row are found several at a time. */
class EqualFramesTest {
  private static final int IN_A_ROW = 11;

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 8})
  void rowOfEqualFramesEndsWhereALengthDiffers(int width) throws IOException {
    FrameFormat format = FrameFormat.builder().lengthFieldLength(width).build();
    for (int other = 0; other <= IN_A_ROW; other++) {
      assertRow(format, other, new byte[] {'o'});
      assertRow(format, other, new byte[] {'o', 't', 'h'});
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 4, 8})
  void rowOfEqualFramesIsFoundInLittleEndianToo(int width) throws IOException {
    FrameFormat format = FrameFormat.builder()
        .byteOrder(ByteOrder.LITTLE_ENDIAN)
        .lengthFieldLength(width)
        .build();
    for (int other = 0; other <= IN_A_ROW; other++) {
      assertRow(format, other, new byte[] {'o', 't', 'h'});
    }
  }

  /** A row of frames of two bytes, among which stands one of another length. */
  private static void assertRow(FrameFormat format, int at, byte[] other) throws IOException {
    List<byte[]> frames = new ArrayList<>();
    for (byte i = 0; i < IN_A_ROW; i++) {
      frames.add(new byte[] {'e', i});
    }
    frames.add(at, other);
    byte[] wire = Encoding.STREAM.encode(format, frames);
    String[] events = frames.stream().map(Recorder::frame).toArray(String[]::new);
    Delivery.of(wire).forEach(delivery -> {
      try (CodecChannel channel = CodecChannel.of(format, true)) {
        channel.read(delivery.pieces());
        assertThat(channel.events())
            .as("%s, other at %d", delivery, at)
            .isEqualTo(delivery.each(events));
      }
    });
  }
}
