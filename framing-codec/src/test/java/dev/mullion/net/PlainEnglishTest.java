package dev.mullion.net;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Comments, error texts, READMEs and the change log use the conventional terms of the field. */
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
          + "to and fro|for want of|what (still )?comes|" // both ways, lack of, later input
          + "TLS did not say|goes on with what|one of those who|in which nothing comes|" // plainer
          + "holds no (key|certificate)|" // contains no
          + "stands? on gRPC|whom|nor have|one's own|words of HTTP|tried again|" // retried
          + "may not wait|takes no more|for so long|so many|" // block, rejects, a time
          + "nobody forgets|whoever|who (calls|asks|waits|listens)|" // the caller
          + "(is|are|was|were) refused|refuses)\\b"); // rejected

  private static Stream<Path> files() throws IOException {
    try (Stream<Path> sources = Files.walk(SOURCES);
        Stream<Path> ofRpc = Files.walk(Path.of("../rpc-support/src/main/java"));
        Stream<Path> ofMessaging = Files.walk(Path.of("../rpc-support/messaging/src/main/java"));
        Stream<Path> overGrpc = Files.walk(Path.of("../rpc-support/messaging-grpc/src/main/java"));
        Stream<Path> ofTck = Files.walk(Path.of("../rpc-support/messaging-tck/src/main/java"));
        Stream<Path> examples = Files.walk(Path.of("../examples"), 2)) {
      Stream<Path> documents = Stream.of(
              "../CHANGELOG.md",
              "../README.md",
              "../CONTRIBUTING.md",
              "README.md",
              "../rpc-support/README.md",
              "../rpc-support/SETTINGS.md",
              "../rpc-support/messaging/README.md",
              "../rpc-support/messaging-grpc/README.md",
              "../rpc-support/messaging-tck/README.md")
          .map(Path::of);
      return Stream.of(
          sources,
          ofRpc,
          ofMessaging,
          overGrpc,
          ofTck,
          examples.filter(each -> each.endsWith("README.md")),
          documents)
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
