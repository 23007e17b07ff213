package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.testing.GuaranteesTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;

/** What the README says of guarantees and defaults is what the code has. */
class ReadmeTest {
  private static final Path README = Path.of("README.md");
  private static final Path SOURCE =
      Path.of("src/test/java/dev/mullion/messaging/rabbitmq/ReadmeTest.java");
  private static final WorkQueue<String> INVOICES = WorkQueue.of("invoices", Codecs.utf8());

  @Test
  void guaranteesAreThoseOfTheEngine() throws IOException {
    RabbitMqEngine engine = RabbitMqEngine.builder().build();
    List<Guarantees> rows =
        Arrays.stream(Pattern.values()).map(engine::guarantees).toList();

    assertThat(Files.readString(README)).contains("\n\n" + GuaranteesTable.of(rows) + "\n");
  }

  @Test
  void enginesAreComparedAsTheyAre() throws IOException {
    String text = Files.readString(Path.of("../messaging/README.md"));

    assertThat(GuaranteesTable.mistakes(
            text, "RabbitMQ", RabbitMqEngine.builder().build().guarantees()))
        .isEmpty();
  }

  @Test
  void settingsHaveTheirDefaults() throws IOException {
    RabbitMqEngine engine = RabbitMqEngine.builder().build();

    assertThat(Files.readString(README))
        .contains(
            "| `addresses` | " + engine.where() + " |",
            "| `user` | " + engine.user() + ", guest |",
            "| `virtualHost` | " + engine.virtualHost() + " |",
            "| `clientName` | " + engine.clientName() + " |",
            "| `prefix` | " + engine.entities().prefix() + " |",
            "| `topology` | " + (engine.creates() ? "CREATE" : "MUST_EXIST") + " |",
            "| `connectTimeout` | " + engine.connectTimeout().toSeconds() + " s |",
            "| `answerTimeout` | " + engine.answerTimeout().toSeconds() + " s |",
            "| `confirmTimeout` | " + engine.confirmTimeout().toSeconds() + " s |",
            "| `awayTimeout` | " + engine.awayTimeout().toSeconds() + " s |",
            "| `maxBackoff` | " + engine.maxBackoff().toSeconds() + " s |",
            "| `heartbeat` | " + engine.heartbeat().toSeconds() + " s |",
            "| `signalBuffer` | " + engine.signalBuffer() + " |",
            "| `consumerTimeout` | " + engine.consumerTimeout().toMinutes() + " min |",
            "`x-delivery-limit`, "
                + String.format(Locale.ROOT, "%,d", QueueTopology.DELIVERY_LIMIT));
  }

  @Test
  void exampleIsCompiled() throws IOException {
    String begin = "```java\n";
    String readme = Files.readString(README);
    int from = readme.indexOf(begin) + begin.length();
    String shown = readme.substring(from, readme.indexOf("```", from));
    assertThat(words(Files.readString(SOURCE))).contains(words(shown));
  }

  private static String words(String text) {
    return text.replaceAll("\\s+", " ");
  }

  /** Compiled for the README, which has its body. */
  static void example(String password) throws Exception {
    RabbitMqEngine engine = RabbitMqEngine.builder()
        .addresses("rabbit-1.internal:5672", "rabbit-2.internal:5672")
        .user("orders", password)
        .build();
    try (Messaging messaging = Messaging.on(engine)) {
      messaging.push(INVOICES, "invoice 1").get();
    }
  }
}
