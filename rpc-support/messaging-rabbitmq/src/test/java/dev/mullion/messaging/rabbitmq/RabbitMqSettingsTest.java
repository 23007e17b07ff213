package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.net.Tls;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a user sets is checked at once, with its name and value; no broker is needed. */
class RabbitMqSettingsTest {
  private final RabbitMqEngine.Builder builder = RabbitMqEngine.builder();

  private void assertRejected(String text, Consumer<RabbitMqEngine.Builder> setting) {
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
        ":5672",
        "host:0",
        "host:65536",
        "host:-1",
        "a:1,b:2",
        "http://a:1",
        "user@a:1",
        "a b:1",
        " a:1"
      })
  void whatIsNoAddressIsRejected(String address) {
    assertRejected(
        "addresses: \"" + address + "\" (expected: host:port, with a port of",
        b -> b.addresses(address));
  }

  @Test
  void addressesAreTaken() {
    assertThat(builder
            .addresses("a-1.b_c:1", "10.0.0.1:65535", "[::1]:5672")
            .build()
            .where())
        .isEqualTo("a-1.b_c:1,10.0.0.1:65535,[::1]:5672");
    assertRejected("addresses: none (expected: one or more)", b -> b.addresses());
  }

  // They were ignored, even those that are about certificates.
  @Test
  void uriHasNoParameters() {
    assertRejected(
        "uri: it has parameters, which are settings of the builder (expected: amqp://",
        b -> b.uri("amqps://host?verify=verify_peer"));
    assertRejected("uri: its port is 65536 (expected: amqp://", b -> b.uri("amqp://host:65536"));
    assertRejected("uri: its port is 0 (expected: amqp://", b -> b.uri("amqp://host:0"));
  }

  // The longest heartbeat switched it off, and the shortest connectTimeout lasted for ever.
  @Test
  void durationsHaveBounds() {
    Map.<String, Consumer<Duration>>of(
            "connectTimeout", builder::connectTimeout,
            "answerTimeout", builder::answerTimeout,
            "awayTimeout", builder::awayTimeout,
            "confirmTimeout", builder::confirmTimeout,
            "maxBackoff", builder::maxBackoff,
            "consumerTimeout", builder::consumerTimeout)
        .forEach((name, set) -> {
          assertTooShort(name, set, " (expected: >= 1 ms)");
          assertRejected(
              name + ": PT0.000999S (expected", b -> set.accept(Duration.ofNanos(999_000)));
          set.accept(Duration.ofMillis(1));
          set.accept(Duration.ofSeconds(Long.MAX_VALUE));
        });
    assertTooShort("heartbeat", builder::heartbeat, " (expected: 1 s to 65535 s)");
    assertRejected("heartbeat: PT0.999S (", b -> b.heartbeat(Duration.ofMillis(999)));
    assertRejected("heartbeat: PT18H12M16S (", b -> b.heartbeat(Duration.ofSeconds(65_536)));
    assertRejected("heartbeat: PT25", b -> b.heartbeat(Duration.ofSeconds(Long.MAX_VALUE)));
    builder
        .heartbeat(Duration.ofSeconds(1))
        .heartbeat(Duration.ofSeconds(65_535))
        .build();
  }

  @SuppressWarnings("NullAway") // what a user may do all the same
  private void assertTooShort(String name, Consumer<Duration> set, String expected) {
    assertRejected(name + ": PT0S" + expected, b -> set.accept(Duration.ZERO));
    assertRejected(name + ": PT-1S" + expected, b -> set.accept(Duration.ofSeconds(-1)));
    assertThatNullPointerException().isThrownBy(() -> set.accept(null)).withMessage(name);
  }

  @Test
  void textsAndNumbersHaveBounds() {
    String long255 = "n".repeat(255);
    assertRejected("clientName: 256 bytes (expected: at most 255)", b -> b.clientName(long255 + 1));
    assertRejected(
        "virtualHost: 510 bytes (expected: at most 255)", b -> b.virtualHost("\u00e4".repeat(255)));
    assertRejected("user: 256 bytes (expected: at most 255)", b -> b.user(long255 + 1, "password"));
    for (String each : new String[] {"", "a.b", "a_b", "p".repeat(41), "amq"}) {
      assertRejected("prefix: \"" + each + "\" (expected: 1 to 40 characters", b -> b.prefix(each));
    }
    for (int each : new int[] {-1, 0}) {
      assertRejected("signalBuffer: " + each + " (expected: > 0)", b -> b.signalBuffer(each));
    }
    builder
        .clientName(long255)
        .virtualHost(long255)
        .user(long255, "")
        .prefix("p".repeat(40))
        .signalBuffer(1)
        .signalBuffer(Integer.MAX_VALUE)
        .build();
  }

  @Test
  @SuppressWarnings("NullAway") // what a user may do all the same
  void nothingIsNull() {
    Map.<String, Consumer<RabbitMqEngine.Builder>>of(
            "addresses", b -> b.addresses((String) null),
            "uri", b -> b.uri(null),
            "user", b -> b.user(null, "password"),
            "password", b -> b.user("user", null),
            "virtualHost", b -> b.virtualHost(null),
            "tls", b -> b.tls(null),
            "clientName", b -> b.clientName(null),
            "prefix", b -> b.prefix(null),
            "topology", b -> b.topology(null),
            "client", b -> b.client(null))
        .forEach((name, set) -> assertThatNullPointerException()
            .isThrownBy(() -> set.accept(builder))
            .withMessage(name));
  }

  @Test
  void filesOfTlsAreReadFirst() {
    RabbitMqEngine absent =
        builder.tls(Tls.client().trusting(Path.of("absent.pem"))).build();
    assertThatThrownBy(() -> Messaging.on(absent))
        .isInstanceOf(UnsupportedSettingException.class)
        .hasMessageContainingAll("absent.pem", "tls");
  }
}
