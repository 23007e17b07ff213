package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What the README shows stands in the example that is built and run. */
class ReadmeTest {
  private static final Path EXAMPLE = Path.of("../examples/streaming");
  private static final Pattern BLOCK =
      Pattern.compile("```(?:java|xml|proto)\n(.*?)```", Pattern.DOTALL);

  @Test
  void codeIsThatOfTheExample() throws IOException {
    String example = words(Files.readString(EXAMPLE.resolve("pom.xml")) + sources());
    List<String> shown = BLOCK
        .matcher(Files.readString(Path.of("README.md")))
        .results()
        .map(block -> block.group(1))
        .toList();

    assertThat(shown).hasSizeGreaterThan(6);
    assertThat(shown).allSatisfy(block -> assertThat(example).contains(words(block)));
  }

  private static String sources() throws IOException {
    try (Stream<Path> files = Files.walk(EXAMPLE.resolve("src/main"))) {
      return files.filter(Files::isRegularFile).map(ReadmeTest::text).collect(Collectors.joining());
    }
  }

  private static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The layout is not the same in both. */
  private static String words(String code) {
    return code.replaceAll("\\s+", "");
  }
}
