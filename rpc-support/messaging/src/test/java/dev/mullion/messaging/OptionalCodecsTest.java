package dev.mullion.messaging;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

class OptionalCodecsTest {
  record Order(String id, long cents, List<String> lines) {}

  private static byte[] bytes(String text) {
    return text.getBytes(UTF_8);
  }

  @Test
  void protobufComesBackAsItWas() throws Exception {
    ProtobufCodec<Duration> codec = ProtobufCodec.of(Duration.getDefaultInstance());
    Duration duration = Duration.newBuilder().setSeconds(5).setNanos(7).build();

    assertThat(codec.decode(codec.encode(duration), codec.contentType())).isEqualTo(duration);
    assertThat(codec.decode(new byte[0], "")).isEqualTo(Duration.getDefaultInstance());
    assertThat(codec.contentType()).isEqualTo("application/x-protobuf");
    assertThatThrownBy(() -> codec.decode(new byte[] {8}, ""))
        .isInstanceOf(UndecodableMessageException.class)
        .hasMessageStartingWith("payload of 1 bytes is not a valid Duration: ");
  }

  @Test
  void jsonComesBackAsItWas() throws Exception {
    JsonCodec<Order> codec = JsonCodec.of(Order.class);
    Order order = new Order("é", 5, List.of("a", "b"));

    assertThat(codec.decode(codec.encode(order), codec.contentType())).isEqualTo(order);
    assertThat(codec.decode(bytes("{\"id\":\"x\",\"new\":1}"), ""))
        .isEqualTo(new Order("x", 0, nothing()));
    assertThat(codec.contentType()).isEqualTo("application/json");
  }

  @SuppressWarnings({"NullAway", "TypeParameterUnusedInFormals"})
  private static <T> T nothing() {
    return null;
  }

  @Test
  void whatIsNotJsonSaysSo() {
    JsonCodec<Order> codec = JsonCodec.of(Order.class);

    for (String wrong : new String[] {"", "{", "[]", "{\"cents\":\"x\"}", "{} {}", "null"}) {
      assertThatThrownBy(() -> codec.decode(bytes(wrong), ""))
          .isInstanceOf(UndecodableMessageException.class)
          .hasMessageStartingWith(
              "payload of " + wrong.length() + " bytes is not JSON of a Order: ");
    }
  }

  @Test
  void ownMapperDecides() throws Exception {
    JsonCodec<Order> codec = JsonCodec.of(Order.class, new ObjectMapper());

    assertThatThrownBy(() -> codec.decode(bytes("{\"new\":1}"), ""))
        .isInstanceOf(UndecodableMessageException.class)
        .hasMessageContaining("Unrecognized field \"new\"");
  }

  @Test
  void whatCannotBeWrittenSaysSo() {
    JsonCodec<Instant> codec = JsonCodec.of(Instant.class, new ObjectMapper());

    assertThatThrownBy(() -> codec.encode(Instant.EPOCH))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("payload of class java.time.Instant cannot be written as JSON: ");
  }
}
