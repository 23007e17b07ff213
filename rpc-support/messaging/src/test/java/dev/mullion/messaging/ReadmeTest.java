package dev.mullion.messaging;

import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.testing.GuaranteesTable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the READMEs say of guarantees and defaults is what the code has. */
class ReadmeTest {
  private static final Path README = Path.of("README.md");
  private static final java.util.regex.Pattern JAVA =
      java.util.regex.Pattern.compile("```java\n(.*?)```", java.util.regex.Pattern.DOTALL);
  private static final java.util.regex.Pattern SETTING =
      java.util.regex.Pattern.compile("(?m)^\\| `(\\w+)` \\| ([^|]+) \\|");

  @Test
  void guaranteesAreThoseOfTheEngineInMemory() throws IOException {
    assertThat(Files.readString(README)).contains("\n\n" + GuaranteesTable.of(inMemory()) + "\n");
  }

  @Test
  void enginesAreComparedAsTheyAre() throws IOException {
    EmbeddedEngine durable =
        EmbeddedEngine.builder().directory(Path.of("never opened")).build();
    String text = Files.readString(README);

    assertThat(GuaranteesTable.mistakes(text, "in memory", inMemory())).isEmpty();
    assertThat(GuaranteesTable.mistakes(text, "in a directory", durable.guarantees()))
        .isEmpty();
    assertThat(GuaranteesTable.mistakes(
            text.replace("| all | not first word |", "| first | not first word |"),
            "in a directory",
            durable.guarantees()))
        .hasSize(Pattern.values().length)
        .contains("push pull: wildcards of in a directory is all, not first");
  }

  private static List<Guarantees> inMemory() {
    EmbeddedEngine engine = EmbeddedEngine.inMemory();
    return Arrays.stream(Pattern.values()).map(engine::guarantees).toList();
  }

  @Test
  void settingsHaveTheirDefaults() throws IOException {
    MessagingBuilder builder = Messaging.builder(EmbeddedEngine.inMemory());
    WorkQueue<String> queue = WorkQueue.of("invoices", Codecs.utf8());
    String readme = Files.readString(README);
    String settings =
        readme.substring(readme.indexOf("## Settings"), readme.indexOf("\nSubscriptions:"));
    List<String> shown = SETTING
        .matcher(settings)
        .results()
        .map(row -> row.group(1) + " " + row.group(2))
        .toList();

    assertThat(Redelivery.defaults())
        .isEqualTo(new Redelivery(5, Duration.ofSeconds(1), 2, Duration.ofMinutes(1)));
    assertThat(Topic.of("prices", Codecs.utf8()).group("archive").overflow())
        .isEqualTo(Overflow.DROP_OLDEST);
    assertThat(shown)
        .containsExactly(
            "sendTimeout " + builder.sendTimeout.toSeconds() + " s",
            "maxPending " + String.format(Locale.ROOT, "%,d", builder.maxPending),
            "maxPendingBytes " + (builder.maxPendingBytes >> 20) + " MiB",
            "maxMessageSize " + (builder.maxMessageSize >> 20) + " MiB",
            "maxHandlerThreads " + builder.maxHandlerThreads,
            "stopTimeout " + builder.stopTimeout.toSeconds() + " s",
            "redelivery 5 deliveries, 1 s apart at first, doubling, at most 1 min",
            "handlerTimeout " + queue.handlerTimeout().toSeconds() + " s",
            "ordered " + (queue.ordered() ? "yes" : "no"),
            "capacity " + queue.capacity() + ", no limit",
            "capacityBytes " + queue.capacityBytes() + ", no limit",
            "overflow `" + queue.overflow() + "`; `DROP_OLDEST` for groups",
            "maxDeadLetters " + String.format(Locale.ROOT, "%,d", queue.maxDeadLetters()),
            "deadLetterAge " + queue.deadLetterAge().toDays() + " days");
  }

  /** The main README has one of the blocks too. */
  @ParameterizedTest
  @ValueSource(strings = {"README.md", "../../README.md"})
  void codeIsThatOfTheTests(String readme) throws IOException {
    String compiled;
    try (Stream<Path> tests = Files.list(Path.of("src/test/java/dev/mullion/messaging"))) {
      compiled = tests
          .filter(test -> test.endsWith("ReadmeExamplesTest.java"))
          .map(ReadmeTest::compact)
          .collect(joining());
    }
    List<String> shown = JAVA.matcher(Files.readString(Path.of(readme)))
        .results()
        .map(block -> block.group(1))
        .filter(block -> readme.equals("README.md") || block.contains("messaging."))
        .toList();

    assertThat(shown).isNotEmpty();
    assertThat(shown)
        .allSatisfy(block -> assertThat(compiled).contains(block.replaceAll("\\s+", "")));
  }

  private static String compact(Path source) {
    try {
      return Files.readString(source).replaceAll("\\s+", "");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
