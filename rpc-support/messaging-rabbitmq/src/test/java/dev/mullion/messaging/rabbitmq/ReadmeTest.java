package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.Guarantees.Pattern;
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
            "| `consumerTimeout` | " + engine.consumerTimeout().toMinutes() + " min |",
            "`x-delivery-limit`, "
                + String.format(Locale.ROOT, "%,d", QueueTopology.DELIVERY_LIMIT));
  }
}
