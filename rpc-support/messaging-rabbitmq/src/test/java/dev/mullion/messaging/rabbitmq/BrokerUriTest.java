package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Addresses as RabbitMQ writes them. */
class BrokerUriTest {
  @Test
  void everyPartIsRead() {
    BrokerUri uri = BrokerUri.parse("amqp://ord%40ers:se%2Fcret@rabbit.internal:5673/pro%2Fd");
    assertThat(uri.address()).isEqualTo("rabbit.internal:5673");
    assertThat(uri.user()).isEqualTo("ord@ers");
    assertThat(uri.password()).isEqualTo("se/cret");
    assertThat(uri.virtualHost()).isEqualTo("pro/d");
    assertThat(uri.secure()).isFalse();
  }

  @Test
  void absentPartsGetTheirDefaults() {
    BrokerUri uri = BrokerUri.parse("amqp://rabbit.internal");
    assertThat(uri.address()).isEqualTo("rabbit.internal:5672");
    assertThat(uri.user()).isEqualTo("guest");
    assertThat(uri.password()).isEqualTo("guest");
    assertThat(uri.virtualHost()).isEqualTo("/");
  }

  @Test
  void overTlsThePortIsThatOfTls() {
    assertThat(BrokerUri.parse("amqps://rabbit.internal").address())
        .isEqualTo("rabbit.internal:5671");
    assertThat(BrokerUri.parse("amqps://rabbit.internal:5672").address())
        .isEqualTo("rabbit.internal:5672");
    assertThat(BrokerUri.parse("amqps://rabbit.internal").secure()).isTrue();
    assertThat(RabbitMqEngine.builder().uri("amqps://rabbit.internal").build().tls())
        .isNotNull();
    assertThat(RabbitMqEngine.builder().uri("amqp://rabbit.internal").build().tls())
        .isNull();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "rabbit.internal",
        "http://rabbit.internal",
        "amqp://a:secret@ b",
        "amqp://a:secret@b/c/d",
        "amqp://a:b:secret@c"
      })
  void whatIsNoneIsRejectedAndKeptSecret(String text) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> RabbitMqEngine.builder().uri(text))
        .withMessageStartingWith("uri: ")
        .withMessageContaining("amqp://")
        .withMessageNotContaining("secret")
        .withNoCause();
  }

  @Test
  void textHasNoPassword() {
    assertThat(BrokerUri.parse("amqps://a:secret@b:1/c")).hasToString("amqps://b:1");
  }
}
