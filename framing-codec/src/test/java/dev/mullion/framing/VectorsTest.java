package dev.mullion.framing;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The golden vectors of {@code vectors.json}, which another implementation can read as well. */
class VectorsTest {
  private static final Pattern ENCODING = Pattern.compile("(\\w+)(?:\\((.)\\))?", Pattern.DOTALL);
  private static final Map<String, Class<? extends FramingException>> ERRORS = Map.of(
      "too large", FrameTooLargeException.class,
      "corrupt", CorruptFrameException.class,
      "truncated", TruncatedFrameException.class);

  /** Settings have the names of the builder; frames and wire are hex, spaces do not count. */
  private record Vector(
      String name,
      @Nullable String preset,
      @Nullable Map<String, JsonElement> settings,
      List<String> frames,
      String wire,
      @Nullable String error,
      boolean decodeOnly) {
    FrameFormat format() {
      FrameFormat.Builder builder = preset == null ? FrameFormat.builder() : presetNamed(preset);
      if (settings != null) {
        settings.forEach((name, value) -> set(builder, name, value));
      }
      return builder.build();
    }

    byte[] bytes() {
      return Wire.bytes(wire);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private static FrameFormat.Builder presetNamed(String name) {
    FrameFormat format = switch (name) {
      case "protobufDelimited" -> FrameFormat.protobufDelimited();
      case "octetCountedSyslog" -> FrameFormat.octetCountedSyslog();
      case "netstring" -> FrameFormat.netstring();
      case "dnsOverTcp" -> FrameFormat.dnsOverTcp();
      case "tpkt" -> FrameFormat.tpkt();
      default -> throw new IllegalArgumentException(name);
    };
    return format.toBuilder();
  }

  private static FrameFormat.Builder set(FrameFormat.Builder to, String name, JsonElement value) {
    return switch (name) {
      case "lengthFieldOffset" -> to.lengthFieldOffset(value.getAsInt());
      case "lengthFieldLength" -> to.lengthFieldLength(value.getAsInt());
      case "byteOrder" ->
        to.byteOrder(
            value.getAsString().equals("LITTLE_ENDIAN")
                ? ByteOrder.LITTLE_ENDIAN
                : ByteOrder.BIG_ENDIAN);
      case "lengthEncoding" -> to.lengthEncoding(encoding(value.getAsString()));
      case "lengthAdjustment" -> to.lengthAdjustment(value.getAsInt());
      case "initialBytesToStrip" -> to.initialBytesToStrip(value.getAsInt());
      case "maxFrameLength" -> to.maxFrameLength(value.getAsInt());
      case "beforeLength" -> to.beforeLength(Wire.bytes(value.getAsString()));
      case "afterLength" -> to.afterLength(Wire.bytes(value.getAsString()));
      case "trailer" -> to.trailer(Wire.bytes(value.getAsString()));
      default -> throw new IllegalArgumentException(name);
    };
  }

  private static LengthEncoding encoding(String text) {
    Matcher matcher = ENCODING.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(text);
    }
    String argument = Objects.requireNonNullElse(matcher.group(2), "");
    return switch (matcher.group(1)) {
      case "varint32" -> LengthEncoding.varint32();
      case "asciiDecimal" -> LengthEncoding.asciiDecimal(argument.charAt(0));
      case "asciiHex" -> LengthEncoding.asciiHex(Integer.parseInt(argument));
      case "asciiHexUpperCase" -> LengthEncoding.asciiHexUpperCase(Integer.parseInt(argument));
      case "FourDigits" -> new FourDigits();
      default -> throw new IllegalArgumentException(text);
    };
  }

  private static List<Vector> vectors() throws IOException {
    try (InputStream in =
        Objects.requireNonNull(VectorsTest.class.getResourceAsStream("/vectors.json"))) {
      return List.of(new Gson().fromJson(new InputStreamReader(in, UTF_8), Vector[].class));
    }
  }

  private static Stream<Vector> encodable() throws IOException {
    return vectors().stream().filter(vector -> vector.error() == null && !vector.decodeOnly());
  }

  @ParameterizedTest
  @MethodSource("vectors")
  void isDecoded(Vector vector) {
    for (Decoding way : Decoding.values()) {
      Delivery.of(vector.bytes())
          .filter(delivery -> delivery.copies() == 1)
          .forEach(delivery -> checkDecoded(vector, way, delivery));
    }
  }

  private static void checkDecoded(Vector vector, Decoding way, Delivery delivery) {
    String name = way + ", " + delivery.name();
    List<String> decoded = way.decode(vector.format(), delivery.pieces());
    if (vector.error() == null) {
      assertThat(decoded).as(name).isEqualTo(vector.frames());
    } else {
      int frames = vector.frames().size();
      assertThat(decoded).as(name).hasSizeGreaterThan(frames);
      assertThat(decoded.subList(0, frames)).as(name).isEqualTo(vector.frames());
      assertThat(decoded.get(frames))
          .as(name)
          .startsWith(Objects.requireNonNull(ERRORS.get(vector.error())).getSimpleName() + ": ");
    }
  }

  @ParameterizedTest
  @MethodSource("encodable")
  void isEncoded(Vector vector) throws IOException {
    List<byte[]> frames = vector.frames().stream().map(Wire::bytes).toList();

    for (Encoding way : Encoding.values()) {
      assertThat(Wire.hex(way.encode(vector.format(), frames)))
          .as(way.name())
          .isEqualTo(Wire.hex(vector.wire()));
    }
  }

  @Test
  void vectorsSayWhichFormatsCannotEncode() throws IOException {
    assertThat(vectors())
        .allSatisfy(vector -> assertThat(vector.format().whyNotEncodable().isPresent())
            .as(vector.name())
            .isEqualTo(vector.decodeOnly()))
        .extracting(Vector::name)
        .doesNotHaveDuplicates();
  }
}
