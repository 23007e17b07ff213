package dev.mullion.messaging.rabbitmq;

import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.Guarantees.Pattern;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** What the README says of guarantees and defaults is what the code has. */
class ReadmeTest {
  private static final Path README = Path.of("README.md");

  @Test
  void guaranteesAreThoseOfTheEngine() throws IOException {
    RabbitMqEngine engine = RabbitMqEngine.builder().build();
    List<Guarantees> rows =
        Arrays.stream(Pattern.values()).map(engine::guarantees).toList();
    StringBuilder table = new StringBuilder();
    for (RecordComponent promise : promises()) {
      table.append("| ").append(name(promise)).append(" |");
      rows.forEach(row -> table.append(' ').append(value(promise, row)).append(" |"));
      table.append('\n');
    }

    assertThat(Files.readString(README)).contains("| --- |\n" + table + "\n");
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

  private static List<RecordComponent> promises() {
    return Arrays.stream(Guarantees.class.getRecordComponents()).skip(1).toList();
  }

  /** {@code ifSenderDies} as {@code if sender dies}. */
  private static String name(RecordComponent promise) {
    return promise.getName().replaceAll("([A-Z])", " $1").toLowerCase(Locale.ROOT);
  }

  private static String value(RecordComponent promise, Guarantees row) {
    try {
      return shown(Objects.requireNonNull(promise.getAccessor().invoke(row)));
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("guarantees are readable", e);
    }
  }

  private static String shown(Object value) {
    if (value instanceof Collection<?> several) {
      return several.stream().map(each -> "`" + each + "`").sorted().collect(joining(", "));
    }
    if (value instanceof Duration time) {
      return time.isZero() ? "0" : time.toMillis() + " ms";
    }
    if (value instanceof Boolean holds) {
      return holds ? "yes" : "no";
    }
    return value.toString().replace('_', ' ').toLowerCase(Locale.ROOT);
  }
}
