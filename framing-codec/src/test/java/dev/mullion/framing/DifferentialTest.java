package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.CorruptedFrameException;
import io.netty.handler.codec.EncoderException;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.LengthFieldPrepender;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.codec.protobuf.ProtobufVarint32FrameDecoder;
import io.netty.handler.codec.protobuf.ProtobufVarint32LengthFieldPrepender;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Netty's own codecs as an oracle. These differences are by design, and left out:
 *
 * <ul>
 *   <li>Netty's limit counts the header, ours does not: it is converted.
 *   <li>Netty takes eight bytes as signed, so that the same length is too large here and corrupt
 *       there; and it goes on behind a corrupt frame: nothing behind it is compared.
 *   <li>A strip that is longer than the smallest frame is refused when the format is built, and by
 *       Netty when such a frame comes: no such format is drawn.
 *   <li>An end inside a frame is an error here, and none to Netty.
 *   <li>A varint with needless zero groups is corrupt here, and a length to Netty.
 * </ul>
 */
class DifferentialTest {
  private static final int[] WIDTHS = {1, 2, 3, 4, 8};
  private static final String TOO_LARGE = "too large";
  private static final String CORRUPT = "corrupt";

  /** Eight bytes: one of the two, and the end of the comparison. */
  private static final String REFUSED = "refused";

  private static final Set<String> FAILURES = Set.of(TOO_LARGE, CORRUPT, REFUSED);

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {11, 12, 13, 14})
  void decodesAsNettyDoes(long seed) throws IOException {
    Random random = new Random(seed);
    int errors = 0;
    int wires = RandomFormats.times(500);
    for (int i = 0; i < wires; i++) {
      FrameFormat format = format(random);
      byte[] wire = wire(format, random);
      List<byte[]> pieces = Delivery.cutAtRandom(wire, random);
      List<String> netty = comparable(netty(nettyDecoder(format), pieces), format);
      for (Decoding way : Decoding.values()) {
        assertThat(comparable(way.decode(format, pieces), format))
            .as("seed %s, wire %s: %s, %s, %s", seed, i, Wire.hex(wire), format, way)
            .isEqualTo(netty);
      }
      errors += netty.stream().anyMatch(FAILURES::contains) ? 1 : 0;
    }
    assertThat(errors).as("wires that fail").isBetween(wires / 15, wires * 14 / 15);
  }

  private static FrameFormat format(Random random) {
    while (true) {
      FrameFormat.Builder builder = FrameFormat.builder()
          .lengthFieldLength(WIDTHS[random.nextInt(WIDTHS.length)])
          .byteOrder(random.nextBoolean() ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN)
          .lengthFieldOffset(random.nextInt(4))
          .lengthAdjustment(random.nextInt(13) - 6)
          .maxFrameLength(1 + random.nextInt(80));
      if (random.nextBoolean()) {
        builder.initialBytesToStrip(random.nextInt(10));
      }
      try {
        return builder.build();
      } catch (IllegalStateException contradiction) {
        // Drawn again.
      }
    }
  }

  /** Some good frames, then perhaps cut, damaged, or followed by anything. */
  private static byte[] wire(FrameFormat format, Random random) throws CorruptFrameException {
    RandomFormats formats = new RandomFormats(random);
    byte[] wire = Bytes.NONE;
    for (int frame = random.nextInt(4); frame >= 0; frame--) {
      wire = Wire.join(wire, formats.wire(format));
    }
    return switch (random.nextInt(5)) {
      case 0 -> wire;
      case 1 -> Arrays.copyOf(wire, random.nextInt(wire.length + 1));
      case 2 -> {
        wire[random.nextInt(wire.length)] = (byte) random.nextInt();
        yield wire;
      }
      case 3 -> Wire.join(wire, tooLarge(format, random), formats.wire(format));
      default -> Wire.join(wire, formats.bytes(random.nextInt(60)));
    };
  }

  private static byte[] tooLarge(FrameFormat format, Random random) throws CorruptFrameException {
    int more = format.maxFrameLength() + 1 + random.nextInt(20);
    try {
      FrameFormat wider = format.toBuilder().maxFrameLength(more).build();
      return new RandomFormats(random).wire(wider);
    } catch (IllegalStateException fieldIsTooNarrow) {
      return Bytes.NONE;
    }
  }

  private static ChannelHandler nettyDecoder(FrameFormat format) {
    int lengthEnd = format.lengthFieldOffset() + format.lengthFieldLength();
    int header = Math.max(lengthEnd, format.initialBytesToStrip());
    return new LengthFieldBasedFrameDecoder(
        format.byteOrder(),
        header + format.maxFrameLength(),
        format.lengthFieldOffset(),
        format.lengthFieldLength(),
        format.lengthAdjustment(),
        format.initialBytesToStrip(),
        true);
  }

  private static List<String> netty(ChannelHandler decoder, List<byte[]> pieces) {
    NettyRecorder recorder = new NettyRecorder();
    EmbeddedChannel channel = new EmbeddedChannel(decoder, recorder);
    for (byte[] piece : pieces) {
      // A copy, since Netty moves bytes within the buffers that it has read.
      channel.writeInbound(Unpooled.copiedBuffer(piece));
      while (recorder.failedNow()) {
        // After an error Netty waits for the next read before it looks at what it still has.
        channel.writeInbound(Unpooled.EMPTY_BUFFER);
      }
    }
    channel.finishAndReleaseAll();
    return recorder.events();
  }

  private static final class NettyRecorder extends ChannelInboundHandlerAdapter {
    private final Decoding.Recorder frames = new Decoding.Recorder();
    private boolean failed;

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
      frames.channelRead(ctx, msg);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
      failed = true;
      if (cause instanceof TooLongFrameException) {
        frames.events.add(TOO_LARGE);
      } else if (cause instanceof CorruptedFrameException) {
        frames.events.add(CORRUPT);
      } else {
        frames.events.add(cause.toString());
      }
    }

    boolean failedNow() {
      boolean now = failed;
      failed = false;
      return now;
    }

    List<String> events() {
      return frames.events;
    }
  }

  /** Leaves out what differs by design. */
  private static List<String> comparable(List<String> events, FrameFormat format) {
    List<String> kept = new ArrayList<>();
    for (String event : events) {
      boolean tooLarge = event.equals(TOO_LARGE) || event.startsWith("FrameTooLargeException");
      boolean corrupt = event.equals(CORRUPT) || event.startsWith("CorruptFrameException");
      if ((tooLarge || corrupt) && format.lengthFieldLength() == 8) {
        kept.add(REFUSED);
        break;
      }
      if (!event.startsWith("TruncatedFrameException")) {
        kept.add(tooLarge ? TOO_LARGE : corrupt ? CORRUPT : event);
      }
      if (corrupt) {
        break;
      }
    }
    return kept;
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = 21)
  void encodesAsNettyDoes(long seed) throws IOException {
    Random random = new Random(seed);
    RandomFormats formats = new RandomFormats(random);
    int refused = 0;
    int frames = RandomFormats.times(1000);
    for (int i = 0; i < frames; i++) {
      int width = WIDTHS[random.nextInt(WIDTHS.length)];
      int adjustment = random.nextInt(9) - 4;
      boolean countsItself = random.nextBoolean();
      ByteOrder order = random.nextBoolean() ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
      FrameFormat format = FrameFormat.builder()
          .lengthFieldLength(width)
          .byteOrder(order)
          .lengthAdjustment(-adjustment - (countsItself ? width : 0))
          .build();
      byte[] frame = formats.bytes(random.nextInt(random.nextBoolean() ? 4 : 300));
      byte[] netty = netty(new LengthFieldPrepender(order, width, adjustment, countsItself), frame);
      refused += netty == null ? 1 : 0;
      for (Encoding way : Encoding.values()) {
        assertThat(encodedOrNull(way, format, frame))
            .as("seed %s, frame %s: %s, %s", seed, i, format, way)
            .isEqualTo(netty);
      }
    }
    assertThat(refused).as("frames that are refused").isBetween(frames / 60, frames / 2);
  }

  private static byte @Nullable [] encodedOrNull(Encoding way, FrameFormat format, byte[] frame)
      throws IOException {
    try {
      return way.encode(format, frame);
    } catch (FramingException refused) {
      return null;
    }
  }

  /** Returns null for a frame that is refused. */
  private static byte @Nullable [] netty(ChannelHandler encoder, byte[] frame) {
    EmbeddedChannel channel = new EmbeddedChannel(encoder);
    try {
      channel.writeOutbound(Unpooled.wrappedBuffer(frame));
      ByteArrayOutputStream wire = new ByteArrayOutputStream();
      ByteBuf part = channel.readOutbound();
      while (part != null) {
        wire.writeBytes(ByteBufUtil.getBytes(part));
        part.release();
        part = channel.readOutbound();
      }
      return wire.toByteArray();
    } catch (EncoderException | IllegalArgumentException refused) {
      return null;
    } finally {
      channel.finishAndReleaseAll();
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {31, 32})
  void varintsAreThoseOfNetty(long seed) throws IOException {
    Random random = new Random(seed);
    FrameFormat format = FrameFormat.protobufDelimited();
    RandomFormats formats = new RandomFormats(random);
    for (int i = 0; i < RandomFormats.times(150); i++) {
      byte[] wire = Bytes.NONE;
      for (int frame = random.nextInt(4); frame >= 0; frame--) {
        byte[] payload = formats.bytes(random.nextInt(random.nextInt(20) == 0 ? 20_000 : 300));
        byte[] encoded = netty(new ProtobufVarint32LengthFieldPrepender(), payload);
        for (Encoding way : Encoding.values()) {
          assertThat(way.encode(format, payload)).as("seed %s, %s", seed, way).isEqualTo(encoded);
        }
        wire = encoded == null ? wire : Wire.join(wire, encoded);
      }
      byte[] cut = Arrays.copyOf(wire, Math.max(0, wire.length - random.nextInt(9)));
      List<byte[]> pieces = Delivery.cutAtRandom(cut, random);
      for (Decoding way : Decoding.values()) {
        assertThat(comparable(way.decode(format, pieces), format))
            .as("seed %s, wire %s, %s", seed, i, way)
            .isEqualTo(netty(new ProtobufVarint32FrameDecoder(), pieces));
      }
    }
  }
}
