package dev.mullion.framing;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What the READMEs show is what compiles and what is drawn. */
class ReadmeTest {
  private static final Path ROOT = Path.of("..");
  private static final Path HELLO =
      ROOT.resolve("examples/echo/src/main/java/dev/mullion/examples/echo/Hello.java");
  private static final Path FRAMES = ROOT.resolve("examples/frames");
  private static final Path FRAMES_SOURCES = FRAMES.resolve("src/main/java/com/example/frames");
  private static final Pattern LINK = Pattern.compile("]\\(([^)#:]+)(#[^)]*)?\\)");

  @Test
  void firstProgramIsTheOneThatCompiles() throws IOException {
    String program = block(Files.readString(ROOT.resolve("README.md")), "```java\n");

    assertThat(Files.readString(HELLO)).contains(program);
  }

  @Test
  void pictureOfTheFormatIsDrawnByIt() throws IOException {
    FrameFormat format = FrameFormat.builder()
        .beforeLength((byte) 0xCA, (byte) 0xFE) // a magic number: written and checked
        .lengthFieldLength(2)
        .lengthAdjustment(-4) // this length counts the whole frame
        .maxFrameLength(16 * 1024)
        .build();

    assertThat(Files.readString(ROOT.resolve("README.md"))).contains(format.diagram());
  }

  @Test
  void serverAndClientAreThoseThatCompile() throws IOException {
    String readme = Files.readString(ROOT.resolve("README.md"));
    String server = words(Files.readString(FRAMES_SOURCES.resolve("FrameServer.java")));
    String client = words(Files.readString(FRAMES_SOURCES.resolve("FrameClient.java")));

    String main = "  public static void main(String[] args) throws InterruptedException {";
    assertThat(server)
        .contains(words(block(readme, "```java\n" + main + "\n    try (FramedServer")));
    String trying = words(block(readme, "```java\ntry (FramedClient"));
    assertThat(client).contains(trying.substring(0, trying.length() - 1));
  }

  /** Whoever copies them has the example, to the letter. */
  @Test
  void tutorialIsTheExample() throws IOException {
    String readme = Files.readString(Path.of("README.md"));

    assertThat(readme)
        .contains(
            "```java\n" + Files.readString(FRAMES_SOURCES.resolve("FrameServer.java")) + "```")
        .contains(
            "```java\n" + Files.readString(FRAMES_SOURCES.resolve("FrameClient.java")) + "```");
    for (String each : List.of(readme, Files.readString(ROOT.resolve("README.md")))) {
      String pom = block(each, "```xml\n<project");
      assertThat(Files.readString(FRAMES.resolve("pom.xml")))
          .startsWith(pom.substring(0, pom.length() - "</project>\n".length()));
    }
  }

  @Test
  void formatInPlaceOfNettysDecoder() throws IOException {
    EmbeddedChannel channel = new EmbeddedChannel();
    // What the README shows.
    FrameFormat format = FrameFormat.builder()
        .lengthFieldLength(2)
        .lengthAdjustment(-2) // this length counts itself too
        .maxFrameLength(16 * 1024)
        .build();
    channel.pipeline().addLast(LengthDelimitedCodec.of(format), new YourHandler());
    // The end of it.
    String shown = block(Files.readString(Path.of("README.md")), "```java\nFrameFormat format");
    String test = Files.readString(Path.of("src/test/java/dev/mullion/framing/ReadmeTest.java"));
    EmbeddedChannel nettys =
        new EmbeddedChannel(new LengthFieldBasedFrameDecoder(16 * 1024 + 2, 0, 2, -2, 2));

    assertThat(words(test)).contains("//WhattheREADMEshows." + words(shown) + "//Theendofit.");
    assertThat(decoded(channel)).isEqualTo(decoded(nettys)).isEqualTo("hi");
  }

  /** Passes on what it gets. */
  private static final class YourHandler extends ChannelInboundHandlerAdapter {}

  private static String decoded(EmbeddedChannel channel) {
    channel.writeInbound(Unpooled.wrappedBuffer(new byte[] {0, 4, 'h', 'i'}));
    ByteBuf frame = channel.readInbound();
    try {
      return frame.toString(US_ASCII);
    } finally {
      frame.release();
      channel.finish();
    }
  }

  /** Of each README in the project; those of other modules lie beside this one. */
  @Test
  void linksLeadSomewhere() throws IOException {
    for (String each : List.of(
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "framing-codec/README.md",
        "rpc-support/README.md",
        "rpc-support/messaging/README.md",
        "rpc-support/messaging-grpc/README.md",
        "rpc-support/messaging-kafka/README.md",
        "rpc-support/messaging-rabbitmq/README.md",
        "rpc-support/messaging-tck/README.md",
        "examples/README.md",
        "examples/messaging-request-reply/README.md",
        "examples/messaging-publish-subscribe/README.md",
        "examples/messaging-push-pull/README.md",
        "examples/messaging-fire-and-forget/README.md")) {
      Path file = ROOT.resolve(each);
      assertThat(LINK.matcher(Files.readString(file)).results().map(link -> link.group(1)))
          .as(each)
          .allSatisfy(link -> assertThat(file.resolveSibling(link)).exists());
    }
  }

  /** The layout is not the same in both. */
  private static String words(String code) {
    return code.replaceAll("\\s+", "");
  }

  private static String block(String text, String opening) {
    int start = text.indexOf(opening);
    assertThat(start).as(opening).isNotNegative();
    start = text.indexOf('\n', start) + 1;
    return text.substring(start, text.indexOf("```", start));
  }
}
