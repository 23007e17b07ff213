package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code encode(decode(wire)) == wire} and {@code decode(encode(frame)) == frame}. */
class RoundTripTest {
  private static final int FORMATS = RandomFormats.times(300);

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3, 4})
  void decodingAndEncodingAreEachOthersInverse(long seed) throws IOException {
    Random random = new Random(seed);
    RandomFormats formats = new RandomFormats(random);
    int encodable = 0;
    for (int i = 0; i < FORMATS; i++) {
      FrameFormat format = formats.any();
      String name = "seed " + seed + ", format " + i + ": " + format;
      List<byte[]> wires = new ArrayList<>();
      List<byte[]> frames = new ArrayList<>();
      for (int frame = random.nextInt(4); frame >= 0; frame--) {
        byte[] wire = formats.wire(format);
        wires.add(wire);
        frames.add(RandomFormats.delivered(format, wire));
      }
      byte[] wire = Wire.join(wires.toArray(new byte[0][]));

      checkDecoding(name, format, wire, frames, random);
      if (format.whyNotEncodable().isEmpty()) {
        encodable++;
        checkEncoding(name, format, wire, frames);
      } else {
        checkRefusal(name, format, frames);
      }
    }
    assertThat(encodable).as("formats that encode").isBetween(FORMATS / 4, FORMATS - 1);
  }

  private static void checkDecoding(
      String name, FrameFormat format, byte[] wire, List<byte[]> frames, Random random) {
    for (Decoding way : Decoding.values()) {
      assertThat(way.decode(format, Delivery.cutAtRandom(wire, random)))
          .as("%s, %s", name, way)
          .isEqualTo(Wire.hex(frames));
    }
  }

  private static void checkEncoding(
      String name, FrameFormat format, byte[] wire, List<byte[]> frames) throws IOException {
    for (Encoding way : Encoding.values()) {
      assertThat(Wire.hex(way.encode(format, frames)))
          .as("%s, %s", name, way)
          .isEqualTo(Wire.hex(wire));
    }
  }

  private static void checkRefusal(String name, FrameFormat format, List<byte[]> frames) {
    for (Encoding way : Encoding.values()) {
      assertThatIllegalStateException()
          .as("%s, %s", name, way)
          .isThrownBy(() -> way.encode(format, frames));
    }
  }
}
