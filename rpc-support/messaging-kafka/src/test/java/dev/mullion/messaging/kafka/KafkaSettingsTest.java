package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import java.time.Duration;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a user sets is checked at once, with its name and value. */
class KafkaSettingsTest {
  private static final Duration MOST = Duration.ofMillis(Integer.MAX_VALUE);

  private final KafkaEngine.Builder builder = KafkaEngine.builder("localhost:9092");

  private void assertRejected(String text, Consumer<KafkaEngine.Builder> setting) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> setting.accept(builder))
        .withMessageStartingWith(text);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "host",
        "host:",
        ":9092",
        "host:0",
        "host:65536",
        "a:1,,b:2",
        "a:1,",
        "a:1;b:2",
        "http://a:1",
        "user@a:1",
        "::1:9092",
        "host:99999999999"
      })
  void whatIsNoServerIsRejected(String servers) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> KafkaEngine.on(servers))
        .withMessageStartingWith("servers: \"" + servers + "\" (expected: host:port, with commas");
  }

  @ParameterizedTest
  @ValueSource(strings = {"a:1", "a-1.b_c:65535, 10.0.0.1:9092", "[::1]:9092,[fe80::1%eth0]:1"})
  void serversAreTaken(String servers) {
    assertThat(KafkaEngine.builder(servers).servers).isEqualTo(servers);
  }

  // Those above what a long has in milliseconds ended with an ArithmeticException.
  @Test
  void durationsHaveBounds() {
    Map.<String, Consumer<Duration>>of(
            "connectTimeout", builder::connectTimeout,
            "requestTimeout", builder::requestTimeout,
            "deliveryTimeout", builder::deliveryTimeout,
            "healthInterval", builder::healthInterval)
        .forEach((name, set) -> {
          assertBounds(name, set);
          assertRejected(
              name + ": PT0.000999S (expected: >= 1 ms)",
              b -> set.accept(Duration.ofNanos(999_000)));
          set.accept(Duration.ofMillis(1));
        });
    assertBounds("lockDuration", builder::lockDuration);
    assertRejected(
        "lockDuration: PT0.999S (expected: >= 1 s)", b -> b.lockDuration(Duration.ofMillis(999)));
    builder.lockDuration(Duration.ofSeconds(1)).build();
  }

  @SuppressWarnings("NullAway") // what a user may do all the same
  private void assertBounds(String name, Consumer<Duration> set) {
    assertRejected(name + ": PT0S (expected: >= 1 ", b -> set.accept(Duration.ZERO));
    assertRejected(name + ": PT-1S (expected: >= 1 ", b -> set.accept(Duration.ofSeconds(-1)));
    assertRejected(name + ": PT596H", b -> set.accept(MOST.plusMillis(1)));
    assertRejected(name + ": PT25", b -> set.accept(Duration.ofSeconds(Long.MAX_VALUE)));
    set.accept(MOST);
    assertThatNullPointerException().isThrownBy(() -> set.accept(null)).withMessage(name);
  }

  @Test
  void numbersHaveBounds() {
    assertBounds("replicationFactor", 1, 32_767, builder::replicationFactor);
    assertBounds("topicPartitions", 1, 10_000, builder::topicPartitions);
    assertBounds("orderedPartitions", 1, 10_000, builder::orderedPartitions);
    assertBounds("maxMessageBytes", 1_024, 1 << 30, builder::maxMessageBytes);
    assertBounds("maxConsumers", 1, 1_000, builder::maxConsumers);
    assertBounds("signalBuffer", 1, 1_000_000, builder::signalBuffer);
    builder.build();
  }

  private void assertBounds(String name, int least, int most, Consumer<Integer> set) {
    for (int each : new int[] {-1, 0, least - 1, most + 1}) {
      assertRejected(
          name + ": " + each + " (expected: " + least + " to " + most + ")", b -> set.accept(each));
    }
    set.accept(least);
    set.accept(most);
  }

  @Test
  void textsHaveBounds() {
    assertRejected(
        "clientName: 256 characters (expected: at most 255)", b -> b.clientName("n".repeat(256)));
    builder.clientName("n".repeat(255));
    assertRejected("prefix: \"a_b\" (expected: at most 20 characters of", b -> b.prefix("a_b"));
    assertRejected("prefix: \"ppp", b -> b.prefix("p".repeat(21)));
    builder.prefix("p".repeat(20)).prefix("").build();
  }

  // They were found when a connection began, and one did not tell that it was a property.
  @Test
  void propertiesAreCheckedByTheClientsOwnRules() {
    assertRejected(
        "property: Invalid value banana for configuration acks", b -> b.property("acks", "banana"));
    assertRejected(
        "property: Invalid value soon for configuration request.timeout.ms",
        b -> b.property("request.timeout.ms", "soon"));
    assertRejected("name: \"\" (expected: a property)", b -> b.property("", "x"));
    builder
        .property("acks", "all")
        .property("request.timeout.ms", "1000")
        .property("linger.ms", null)
        .property("of.a.plugin", 1)
        .build();
  }

  @Test
  @SuppressWarnings("NullAway") // what a user may do all the same
  void nothingIsNull() {
    Map.<String, Consumer<KafkaEngine.Builder>>of(
            "servers", b -> KafkaEngine.builder(null),
            "clientName", b -> b.clientName(null),
            "prefix", b -> b.prefix(null),
            "topology", b -> b.topology(null),
            "tls", b -> b.tls(null),
            "mechanism", b -> b.sasl(null, "user", "password"),
            "user", b -> b.sasl("PLAIN", null, "password"),
            "password", b -> b.sasl("PLAIN", "user", null),
            "name", b -> b.property(null, "value"))
        .forEach((name, set) -> assertThatNullPointerException()
            .isThrownBy(() -> set.accept(builder))
            .withMessage(name));
  }

  @Test
  void allReplicasAnswerSendsButForSignals() {
    Settings settings = new Settings(builder, null);
    assertThat(settings.ofProducer(true))
        .containsEntry("acks", "all")
        .containsEntry("enable.idempotence", true);
    assertThat(settings.ofProducer(false)).containsEntry("acks", "0");
  }
}
