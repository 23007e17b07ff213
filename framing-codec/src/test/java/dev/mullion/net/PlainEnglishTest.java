package dev.mullion.net;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Comments, error texts, READMEs and the change log use the conventional terms of the field. */
class PlainEnglishTest {
  private static final List<String> MODULES = List.of(
      ".",
      "../rpc-support",
      "../rpc-support/messaging",
      "../rpc-support/messaging-grpc",
      "../rpc-support/messaging-kafka",
      "../rpc-support/messaging-rabbitmq",
      "../rpc-support/messaging-tck");

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

  private static List<Path> files() throws IOException {
    List<Path> files = new ArrayList<>();
    for (String module : MODULES) {
      files.add(Path.of(module, "README.md"));
      try (Stream<Path> sources = Files.walk(Path.of(module, "src/main/java"))) {
        sources.filter(Files::isRegularFile).forEach(files::add);
      }
    }
    try (Stream<Path> examples = Files.walk(Path.of("../examples"), 2)) {
      examples.filter(each -> each.endsWith("README.md")).forEach(files::add);
    }
    for (String each : List.of("CHANGELOG.md", "README.md", "CONTRIBUTING.md")) {
      files.add(Path.of("..", each));
    }
    files.add(Path.of("../rpc-support/SETTINGS.md"));
    return files;
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
