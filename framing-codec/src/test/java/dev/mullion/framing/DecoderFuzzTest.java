package dev.mullion.framing;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;

/**
 * Draws a format, a wire and its cuts, and compares all that decodes: the codec frame by frame and
 * in batches, the {@link FrameDecoder}, both with the wire whole and in pieces, and the {@link
 * FrameReader}. What the codec and the decoder hold is watched at every piece.
 */
class DecoderFuzzTest {
  /** A part of 4 KiB, and a header. */
  private static final int LITTLE = 4 * 1024 + 256;

  /**
   * The fuzzer leaves out inputs of more pieces or frames: they take most of its time and show
   * little that others do not. Saved inputs are all run.
   */
  private static final int MANY =
      "1".equals(System.getenv("JAZZER_FUZZ")) ? 256 : Integer.MAX_VALUE;

  /** Without the fuzzer, which takes ten seconds to start. */
  @Test
  void savedInputsAreDecoded() throws Exception {
    decodes(Bytes.NONE);
    Path saved =
        Path.of(requireNonNull(DecoderFuzzTest.class.getResource("DecoderFuzzTestInputs/decodes"))
            .toURI());
    try (Stream<Path> files = Files.list(saved)) {
      assertThat(files.toList())
          .hasSizeGreaterThan(15)
          .allSatisfy(file -> decodes(Files.readAllBytes(file)));
    }
  }

  @EnabledIfEnvironmentVariable(named = "JAZZER_FUZZ", matches = "1")
  @FuzzTest(maxDuration = "60s")
  void decodes(byte[] input) throws IOException {
    FuzzInput draw = new FuzzInput(input);
    boolean anyBytes = draw.flag();
    FrameFormat format = draw.format();
    if (format == null) {
      return;
    }
    int[] cuts = draw.cuts();
    if (anyBytes) {
      compareDecoders(format, draw.wire(), cuts);
    } else if (format.whyNotEncodable().isEmpty()) {
      roundTrip(format, draw, cuts);
    }
  }

  private static void compareDecoders(FrameFormat format, byte[] wire, int[] cuts)
      throws IOException {
    if (pieces(wire, cuts) > MANY) {
      return;
    }
    List<String> reported = readAll(format, wire, cuts);
    if (reported.size() > MANY) {
      return;
    }
    List<String> skipped = reported.stream().filter(event -> !isTooLarge(event)).toList();
    List<String> closed = untilTooLarge(reported);
    int[] whole = {wire.length};
    for (int[] pieces : List.of(whole, cuts)) {
      assertThat(push(format, true, wire, pieces)).isEqualTo(reported);
      assertThat(push(format, false, wire, pieces)).isEqualTo(reported);
    }
    for (boolean batches : new boolean[] {false, true}) {
      for (int[] pieces : List.of(whole, cuts)) {
        assertThat(decode(format, TooLargePolicy.REPORT, batches, wire, pieces))
            .isEqualTo(reported);
        assertThat(decode(format, TooLargePolicy.SKIP, batches, wire, pieces)).isEqualTo(skipped);
        assertThat(decode(format, TooLargePolicy.CLOSE, batches, wire, pieces)).isEqualTo(closed);
      }
    }
  }

  private static int pieces(byte[] wire, int[] cuts) {
    int pieces = 0;
    for (int came = 0; came < wire.length; pieces++) {
      came += cuts[pieces % cuts.length];
    }
    return pieces;
  }

  private static boolean isTooLarge(String event) {
    return event.startsWith("FrameTooLarge");
  }

  private static List<String> untilTooLarge(List<String> events) {
    for (int i = 0; i < events.size(); i++) {
      if (isTooLarge(events.get(i))) {
        return events.subList(0, i + 1);
      }
    }
    return events;
  }

  /**
   * What both encoders accept comes back; what one refuses the other refuses with the same text, to
   * which only the codec adds its peer.
   */
  private static void roundTrip(FrameFormat format, FuzzInput draw, int[] cuts) throws IOException {
    ByteArrayOutputStream wire = new ByteArrayOutputStream();
    FrameWriter writer = FrameWriter.of(wire, format);
    EmbeddedChannel channel = new EmbeddedChannel(LengthDelimitedCodec.of(format));
    CountingAllocator memory = new CountingAllocator();
    channel.config().setAllocator(memory);
    int accepted = 0;
    for (byte[] frame = draw.frame(); frame != null; frame = draw.frame()) {
      ChannelFuture sent = channel.write(memory.read(frame, frame.length));
      String refused = "";
      try {
        writer.write(frame);
        accepted++;
      } catch (FramingException e) {
        refused = String.valueOf(e.getMessage());
      }
      if (!refused.isEmpty() || sent.isDone()) {
        assertThat(sent.cause())
            .isInstanceOf(FramingException.class)
            .hasMessage(refused + Encoding.PIPELINE.place());
      }
    }
    writer.flush();
    channel.flush();

    assertThat(sent(channel)).isEqualTo(wire.toByteArray());
    channel.finishAndReleaseAll();
    assertThat(memory.buffers()).isZero();
    List<String> decoded = readAll(format, wire.toByteArray(), cuts);
    assertThat(decoded).hasSize(accepted).allMatch(event -> event.startsWith("frame "));
    assertThat(encodeAgain(format, decoded)).isEqualTo(wire.toByteArray());
    compareDecoders(format, wire.toByteArray(), cuts);
  }

  private static byte[] encodeAgain(FrameFormat format, List<String> decoded) {
    return TestBytes.wire(
        format,
        decoded.stream()
            .map(event -> TestBytes.bytes(event.substring("frame ".length())))
            .toArray(byte[][]::new));
  }

  private static byte[] sent(EmbeddedChannel channel) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (ByteBuf out = channel.readOutbound(); out != null; out = channel.readOutbound()) {
      byte[] bytes = new byte[out.readableBytes()];
      out.readBytes(bytes).release();
      all.writeBytes(bytes);
    }
    return all.toByteArray();
  }

  private static List<String> readAll(FrameFormat format, byte[] wire, int[] cuts)
      throws IOException {
    List<String> events = new ArrayList<>();
    FrameReader reader = FrameReader.of(new Pieces(wire, cuts), format);
    boolean open = true;
    while (open) {
      try {
        byte @Nullable [] frame = reader.read();
        open = frame != null;
        if (frame != null) {
          events.add(Recorder.frame(frame));
        }
      } catch (FramingException e) {
        open = e instanceof FrameTooLargeException;
        events.add(e.getClass().getSimpleName() + ": " + e.getMessage());
      }
    }
    return events;
  }

  private static List<String> decode(
      FrameFormat format, TooLargePolicy policy, boolean batches, byte[] wire, int[] cuts) {
    LengthDelimitedCodec codec = LengthDelimitedCodec.builder()
        .format(format)
        .decodeOnly(format.whyNotEncodable().isPresent())
        .tooLargePolicy(policy)
        .batches(batches)
        .build();
    Recorder recorder = new Recorder();
    EmbeddedChannel channel = new EmbeddedChannel(codec, recorder);
    CountingAllocator memory = new CountingAllocator();
    channel.config().setAllocator(memory);
    int came = 0;
    for (int i = 0; came < wire.length && channel.isOpen(); i++) {
      int length = Math.min(wire.length - came, Math.max(1, cuts[i % cuts.length]));
      channel.writeInbound(read(memory, wire, came, length));
      came += length;
      if (memory.held() > 2L * (came + 8L * (i + 1)) + LITTLE) {
        throw new AssertionError(memory.held() + " bytes are held of " + came);
      }
    }
    channel.finishAndReleaseAll();
    assertThat(memory.buffers()).isZero();
    FrameCounters counters = codec.counters();
    assertThat(counters.bytesDecoded() + counters.bytesDiscarded()).isEqualTo(came);
    List<String> events = recorder.events();
    assertThat(events.remove(events.size() - 1)).isEqualTo("inactive");
    events.replaceAll(event -> isFrame(event) ? event : event.replace("peer embedded, ", ""));
    return events;
  }

  private static boolean isFrame(String event) {
    return event.startsWith("frame ");
  }

  /** What lies around the bytes in their buffer would not pass for bytes of the frames. */
  private static ByteBuf read(CountingAllocator memory, byte[] wire, int from, int length) {
    byte[] read = new byte[length + 8];
    Arrays.fill(read, (byte) 0xFF);
    System.arraycopy(wire, from, read, 3, length);
    return memory.read(read, read.length).setIndex(3, 3 + length);
  }

  /** Asks for frames behind each piece, or only when all have come. */
  private static List<String> push(FrameFormat format, boolean asks, byte[] wire, int[] cuts) {
    List<String> events = new ArrayList<>();
    CountingAllocator memory = new CountingAllocator();
    FrameCounters counters = new FrameCounters();
    try (FrameDecoder decoder = FrameDecoder.of(format, counters, null)) {
      int came = 0;
      boolean open = true;
      for (int i = 0; came < wire.length; i++) {
        int length = Math.min(wire.length - came, Math.max(1, cuts[i % cuts.length]));
        decoder.add(read(memory, wire, came, length));
        came += length;
        open = open && (!asks || take(decoder, events));
        if (memory.held() > 2L * (decoder.bufferedBytes() + 8L * (i + 1)) + LITTLE) {
          throw new AssertionError(memory.held() + " for " + decoder.bufferedBytes());
        }
      }
      decoder.end();
      if (open) {
        take(decoder, events);
      }
    }
    assertThat(memory.buffers()).isZero();
    assertThat(counters.bytesDecoded() + counters.bytesDiscarded()).isEqualTo(wire.length);
    return events;
  }

  /** Takes all frames; returns whether the stream goes on. */
  private static boolean take(FrameDecoder decoder, List<String> events) {
    while (true) {
      try {
        byte[] frame = decoder.next();
        if (frame == null) {
          return true;
        }
        events.add(Recorder.frame(frame));
      } catch (FramingException e) {
        events.add(e.getClass().getSimpleName() + ": " + e.getMessage());
        if (!(e instanceof FrameTooLargeException)) {
          return false;
        }
      }
    }
  }

  /** A stream that gives its bytes in pieces. */
  private static final class Pieces extends InputStream {
    private final ByteArrayInputStream in;
    private final int[] cuts;
    private int next;

    Pieces(byte[] wire, int[] cuts) {
      this.in = new ByteArrayInputStream(Arrays.copyOf(wire, wire.length));
      this.cuts = cuts;
    }

    @Override
    public int read() {
      return in.read();
    }

    @Override
    public int read(byte[] to, int offset, int length) {
      int most = Math.max(1, cuts[next++ % cuts.length]);
      return in.read(to, offset, Math.min(length, most));
    }
  }
}
