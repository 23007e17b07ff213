package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class FrameDiagramTest {
  private static final Path SOURCE = Path.of("src/main/java/dev/mullion/framing/FrameFormat.java");
  private static final Pattern PREFORMATTED =
      Pattern.compile("<pre>\\{@code\n(.*?)\n \\* }</pre>", Pattern.DOTALL);

  /** The formats of the Javadoc, in its order. */
  private static final List<FrameFormat> DOCUMENTED = List.of(
      FrameFormat.builder()
          .beforeLength((byte) 0xCA)
          .lengthFieldLength(2)
          .afterLength((byte) 1)
          .lengthAdjustment(2)
          .trailer((byte) '\n')
          .build(),
      FrameFormat.defaults(),
      FrameFormat.builder()
          .beforeLength((byte) 0xCA, (byte) 0xFE)
          .lengthFieldLength(2)
          .lengthAdjustment(-4)
          .maxFrameLength(16 * 1024)
          .build(),
      FrameFormat.builder()
          .lengthFieldOffset(1)
          .lengthFieldLength(2)
          .initialBytesToStrip(0)
          .build());

  @Test
  void javadocShowsWhatIsDrawn() throws IOException {
    String source = Files.readString(SOURCE);
    List<String> shown = PREFORMATTED
        .matcher(source)
        .results()
        .map(result -> result.group(1).replaceAll("(?m)^ \\* ?", "") + "\n")
        .filter(text -> text.contains("ON THE WIRE"))
        .toList();

    assertThat(shown).isEqualTo(DOCUMENTED.stream().map(FrameFormat::diagram).toList());
    // Nothing that looks like one of them hides behind other tags.
    assertThat(source.split("ON THE WIRE", -1)).hasSize(DOCUMENTED.size() + 1);
  }

  @Test
  void showsTheHeaderThatIsKept() {
    FrameFormat format =
        FrameFormat.builder().lengthFieldLength(2).initialBytesToStrip(0).build();

    assertThat(format.diagram()).isEqualTo("""
                    ON THE WIRE                        DECODED
            +--------+----------------+      +--------+----------------+
            | length | payload        |      | length | payload        |
            | 0x000C | "HELLO, WORLD" | ---> | 0x000C | "HELLO, WORLD" |
            +--------+----------------+      +--------+----------------+
            """);
  }

  @Test
  void showsBytesThatAreNotConstantAsQuestionMarks() {
    FrameFormat format = FrameFormat.builder()
        .lengthFieldOffset(3)
        .beforeLength((byte) 0xCA)
        .lengthFieldLength(2)
        .lengthAdjustment(2)
        .initialBytesToStrip(7)
        .build();

    assertThat(format.diagram()).isEqualTo("""
                                   ON THE WIRE                                   DECODED
            +---------------+--------+--------------+----------------+      +----------------+
            | before length | length | after length | payload        |      | payload        |
            | 0xCA????      | 0x000C | 0x????       | "HELLO, WORLD" | ---> | "HELLO, WORLD" |
            +---------------+--------+--------------+----------------+      +----------------+
            """);
  }

  @Test
  void showsThePartOfAConstantThatIsKept() {
    FrameFormat format = FrameFormat.builder()
        .lengthFieldOffset(4)
        .beforeLength((byte) 0xCA, (byte) 0xFE, (byte) 0xBA)
        .lengthFieldLength(1)
        .afterLength((byte) 7)
        .initialBytesToStrip(1)
        .build();

    assertThat(format.diagram()).isEqualTo("""
                               ON THE WIRE                                                       DECODED
        +---------------+--------+--------------+----------------+      +---------------+--------+--------------+----------------+
        | before length | length | after length | payload        |      | before length | length | after length | payload        |
        | 0xCAFEBA??    | 0x0D   | 0x07         | "HELLO, WORLD" | ---> | 0xFEBA??      | 0x0D   | 0x07         | "HELLO, WORLD" |
        +---------------+--------+--------------+----------------+      +---------------+--------+--------------+----------------+
        """);
  }

  @Test
  void showsPrintableBytesAsText() {
    assertThat(FrameFormat.netstring().diagram()).isEqualTo("""
                         ON THE WIRE                        DECODED
            +--------+----------------+---------+      +----------------+
            | length | payload        | trailer |      | payload        |
            | "12:"  | "HELLO, WORLD" | ","     | ---> | "HELLO, WORLD" |
            +--------+----------------+---------+      +----------------+
            """);
  }

  @Test
  void showsTheLengthOfVariableWidthThatIsKept() {
    FrameFormat format =
        FrameFormat.octetCountedSyslog().toBuilder().initialBytesToStrip(0).build();

    assertThat(format.diagram()).isEqualTo("""
                    ON THE WIRE                        DECODED
            +--------+----------------+      +--------+----------------+
            | length | payload        |      | length | payload        |
            | "12 "  | "HELLO, WORLD" | ---> | "12 "  | "HELLO, WORLD" |
            +--------+----------------+      +--------+----------------+
            """);
  }

  @Test
  void showsNoPayloadThatExceedsTheLimit() {
    FrameFormat format = FrameFormat.builder()
        .lengthEncoding(LengthEncoding.asciiHexUpperCase(1))
        .lengthAdjustment(-10)
        .build();

    assertThat(format.diagram()).isEqualTo("""
                ON THE WIRE             DECODED
            +--------+---------+      +---------+
            | length | payload |      | payload |
            | "F"    | "HELLO" | ---> | "HELLO" |
            +--------+---------+      +---------+
            """);
  }
}
