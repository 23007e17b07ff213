package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.opentelemetry.api.OpenTelemetry;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The examples of the Javadoc, compiled and run. Each stands here in the same words. */
class JavadocExamplesTest {
  private static final Path HERE =
      Path.of("src/test/java/dev/mullion/messaging/JavadocExamplesTest.java");
  private static final Pattern PREFORMATTED =
      Pattern.compile("<pre>\\{@code\n(.*?)\n *\\* }</pre>", Pattern.DOTALL);

  private final List<String> printed = new CopyOnWriteArrayList<>();

  private static List<Path> sources() throws IOException {
    try (Stream<Path> files = Files.walk(Path.of("src/main/java"))) {
      return files
          .filter(file -> file.toString().endsWith(".java"))
          .filter(JavadocExamplesTest::isPublic)
          .sorted()
          .toList();
    }
  }

  private static boolean isPublic(Path source) {
    try {
      return Files.readString(source).contains("\npublic ");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @ParameterizedTest
  @MethodSource("sources")
  void examplesAreCompiled(Path source) throws IOException {
    String javadoc = Files.readString(source);
    String compiled = words(Files.readString(HERE));
    List<String> shown =
        PREFORMATTED.matcher(javadoc).results().map(found -> found.group(1)).toList();

    assertThat(shown)
        .as("examples of %s that are not compiled as they are shown", source)
        .flatExtracting(example -> List.of(withoutStars(example).split("\n\\s*\n")))
        .filteredOn(paragraph -> !isDrawing(paragraph) && !isCommand(paragraph))
        .filteredOn(paragraph -> !compiled.contains(words(paragraph)))
        .isEmpty();
    // Nothing hides behind other tags.
    assertThat(shown)
        .as("blocks of %s", source)
        .hasSize(javadoc.split("<pre|@snippet", -1).length - 1);
  }

  private static boolean isDrawing(String paragraph) {
    return paragraph.contains("---") && !paragraph.contains("();");
  }

  private static boolean isCommand(String paragraph) {
    return paragraph.strip().startsWith("java ");
  }

  private static String withoutStars(String comment) {
    return comment.replaceAll("(?m)^ *\\*", "");
  }

  /** The layout is not the same in both. */
  private static String words(String code) {
    return code.replaceAll("\\s+", "");
  }

  static final WorkQueue<String> INVOICES = WorkQueue.of("invoices", Codecs.utf8());

  private static final class Full {
    static final WorkQueue<String> INVOICES = WorkQueue.builder("invoices", Codecs.utf8())
        .redelivery(Redelivery.constant(3, Duration.ofSeconds(5)))
        .capacity(100_000)
        .build();
  }

  @Test
  void queueHasItsSettings() {
    assertThat(INVOICES.redelivery()).isEqualTo(Redelivery.defaults());
    assertThat(Full.INVOICES.redelivery().maxDeliveries()).isEqualTo(3);
    assertThat(Full.INVOICES.capacity()).isEqualTo(100_000);
  }

  @Test
  void invoiceIsPrinted() throws Exception {
    try (Messaging messaging = Messaging.embedded()) {
      messaging.pull(INVOICES, job -> print(job.payload()));
      messaging.push(INVOICES, "invoice 1").get();
    }
    assertThat(printed.size()).isLessThan(2);
  }

  private void print(String text) {
    printed.add(text);
  }

  @Test
  void codecsOfOptionalLibraries() throws Exception {
    record Order(String id, long cents) {}

    Topic<Order> orders = Topic.of("orders", JsonCodec.of(Order.class));

    Topic<Timestamp> ticks = Topic.of("ticks", ProtobufCodec.of(Timestamp.getDefaultInstance()));

    Order order = new Order("17", 5);
    assertThat(orders.codec().decode(orders.codec().encode(order), "")).isEqualTo(order);
    assertThat(ticks.codec().encode(Timestamp.getDefaultInstance())).isEmpty();
  }

  @Test
  void metersAndTraces() throws Exception {
    try (EmbeddedBroker engine = EmbeddedEngine.inMemory().start();
        Messaging messaging = Messaging.on(engine)) {
      SimpleMeterRegistry registry = new SimpleMeterRegistry();
      OpenTelemetry openTelemetry = OpenTelemetry.noop();
      MessagingMetrics.bind(messaging, registry, "instance", "orders");
      Messaging traced = Messaging.builder(engine)
          .observe(MessagingTraces.observer(openTelemetry))
          .start();
      traced.close();

      assertThat(registry.get("mullion.messaging.up").gauge().value()).isEqualTo(1);
    }
  }
}
