package dev.mullion.net;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Comments, error texts and the change log use the conventional terms of the field. */
class PlainEnglishTest {
  private static final Path SOURCES = Path.of("src/main/java/dev/mullion");

  /** A comment or a text may be broken anywhere between two words. */
  private static final Pattern LINE_BREAK = Pattern.compile("\\s*\n\\s*(?:\\*|//|\\+ \")?\\s*");

  /** Each with the conventional term. */
  private static final Pattern QUAINT = Pattern.compile(
      "\\b(out of step|" // out of sync
          + "speaks? TLS|" // uses TLS
          + "goes on behind|" // continues after
          + "behind the (length|header)|" // after the length
          + "(has|have) come\\b|what came|" // received
          + "as it comes|" // as it arrives
          + "of which (none|there)|whom errors name|"
          + "takes? over (bytes|what)|" // takes ownership of
          + "in place of (being|a)|" // instead of
          + "is what fails|says nothing|some time|"
          + "holds no (key|certificate)|" // contains no
          + "(is|are|was|were) refused|refuses)\\b"); // rejected

  private static Stream<Path> files() throws IOException {
    try (Stream<Path> framing = Files.list(SOURCES.resolve("framing"));
        Stream<Path> net = Files.walk(SOURCES.resolve("net"))) {
      return Stream.of(framing, net, Stream.of(Path.of("../CHANGELOG.md")))
          .flatMap(each -> each)
          .filter(Files::isRegularFile)
          .toList()
          .stream();
    }
  }

  @ParameterizedTest
  @MethodSource("files")
  void quaintWordsAreGone(Path file) throws IOException {
    String text = LINE_BREAK.matcher(Files.readString(file)).replaceAll(" ");

    assertThat(QUAINT.matcher(text).results().map(match -> around(text, match.start())))
        .isEmpty();
  }

  private static String around(String text, int at) {
    return text.substring(Math.max(0, at - 30), Math.min(text.length(), at + 50));
  }
}
