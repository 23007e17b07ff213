package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.testing.GuaranteesTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What the README says of guarantees and defaults is what the code has. */
class KafkaReadmeTest {
  private static final Path README = Path.of("README.md");
  private static final Path SOURCE =
      Path.of("src/test/java/dev/mullion/messaging/kafka/KafkaReadmeTest.java");
  private static final WorkQueue<String> INVOICES = WorkQueue.of("invoices", Codecs.utf8());

  @Test
  void guaranteesAreThoseOfTheEngine() throws Exception {
    List<Guarantees> rows = KafkaEngine.on("localhost:9092").guarantees();
    assertThat(Files.readString(README)).contains("\n\n" + GuaranteesTable.of(rows) + "\n");
  }

  @Test
  void enginesAreComparedAsTheyAre() throws IOException {
    String text = Files.readString(Path.of("../messaging/README.md"));

    assertThat(GuaranteesTable.mistakes(
            text, "Kafka", KafkaEngine.on("localhost:9092").guarantees()))
        .isEmpty();
  }

  @Test
  void moreReplicasAndPartitionsPromiseOtherThings() {
    KafkaEngine engine = KafkaEngine.builder("localhost:9092")
        .replicationFactor(3)
        .topicPartitions(6)
        .build();
    assertThat(engine.guarantees(Guarantees.Pattern.PUSH_PULL).durability())
        .isEqualTo(Guarantees.Durability.REPLICAS);
    assertThat(engine.guarantees(Guarantees.Pattern.PUBLISH_SUBSCRIBE).order())
        .isEqualTo(Guarantees.Order.PER_KEY);
  }

  @Test
  void defaultsAreThoseOfTheBuilder() throws Exception {
    KafkaEngine.Builder builder = KafkaEngine.builder("localhost:9092");
    assertThat(builder.prefix).as("none").isEmpty();
    assertThat(builder.replicationFactor).as("the broker's").isNegative();
    assertThat(Files.readString(README))
        .contains("| `clientName` | `" + builder.clientName + "` |")
        .contains("| `connectTimeout` | " + builder.connectTimeout.toSeconds() + " s |")
        .contains("| `requestTimeout` | " + builder.requestTimeout.toSeconds() + " s |")
        .contains("| `deliveryTimeout` | " + builder.deliveryTimeout.toSeconds() + " s |")
        .contains("| `lockDuration` | " + builder.lockDuration.toSeconds() + " s |")
        .contains("| `healthInterval` | " + builder.healthInterval.toSeconds() + " s |")
        .contains("| `topology` | `" + builder.topology + "` |")
        .contains("| `topicPartitions` | " + builder.topicPartitions + " |")
        .contains("| `maxMessageBytes` | " + (builder.maxMessageBytes >> 20) + " MiB |")
        .contains("| `orderedPartitions` | " + builder.orderedPartitions + " |")
        .contains("| `signalBuffer` | " + builder.signalBuffer + " |")
        .contains("| `maxConsumers` | " + builder.maxConsumers + " |");
  }

  @Test
  void exampleIsCompiled() throws Exception {
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
  static void example() throws Exception {
    KafkaEngine engine =
        KafkaEngine.builder("kafka-1:9092,kafka-2:9092").replicationFactor(3).build();
    try (Messaging messaging = Messaging.on(engine)) {
      messaging.push(INVOICES, "invoice 1").get();
    }
  }
}
