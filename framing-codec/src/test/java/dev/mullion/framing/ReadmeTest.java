package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** What the README shows is what compiles and what is drawn. */
class ReadmeTest {
  private static final Path ROOT = Path.of("..");
  private static final Path HELLO =
      ROOT.resolve("examples/echo/src/main/java/dev/mullion/examples/echo/Hello.java");

  @Test
  void firstProgramIsTheOneThatCompiles() throws IOException {
    String program = block(Files.readString(ROOT.resolve("README.md")), "```java\n");

    assertThat(Files.readString(HELLO)).contains(program);
  }

  @Test
  void pictureOfTheFormatIsDrawnByIt() throws IOException {
    FrameFormat format = FrameFormat.builder()
        .beforeLength((byte) 0xCA, (byte) 0xFE) // a magic: written, and checked
        .lengthFieldLength(2)
        .lengthAdjustment(-4) // this length counts the whole frame
        .maxFrameLength(16 * 1024)
        .build();

    assertThat(Files.readString(ROOT.resolve("README.md"))).contains(format.diagram());
  }

  @Test
  void serverAndClientAreThoseThatCompile() throws IOException {
    String readme = Files.readString(ROOT.resolve("README.md"));
    String compiled = words(Files.readString(
        Path.of("src/test/java/dev/mullion/framing/tcp/ConnectionExamplesTest.java")));

    assertThat(compiled).contains(words(block(readme, "```java\nFramedServer")));
    assertThat(compiled).contains(words(block(readme, "```java\ntry (FramedClient")));
  }

  /** The layout is not the same in both. */
  private static String words(String code) {
    return code.replaceAll("\\s+", "");
  }

  private static String block(String text, String opening) {
    int start = text.indexOf(opening) + "```java\n".length();
    return text.substring(start, text.indexOf("```", start));
  }
}
