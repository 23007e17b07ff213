package dev.mullion.messaging.tck;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.Message;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.Test;
import org.opentest4j.AssertionFailedError;

/** What the suite counts with finds what is missing and what came twice. */
class ReceivedTest {
  private final Profile profile = Profile.defaults()
      .withDeadlines(Duration.ofMillis(50), Duration.ofMillis(50))
      .withQuiet(Duration.ofMillis(5));

  @Test
  void exactMultiset() {
    Received<String> received = received(profile, "a", "b", "b");
    received.awaitExactly(List.of("b", "a", "b"));
  }

  @Test
  void missing() {
    Received<String> received = received(profile, "a", "b");
    assertThatThrownBy(() -> received.awaitExactly(List.of("a", "b", "c")))
        .isInstanceOf(AssertionFailedError.class)
        .hasMessageContaining("missing 1[c]");
  }

  @Test
  void duplicateIsNotTolerated() {
    Received<String> received = received(profile, "a", "b", "a");
    assertThatThrownBy(() -> received.awaitExactly(List.of("a", "b")))
        .isInstanceOf(AssertionFailedError.class)
        .hasMessageContaining("duplicate or unknown 1[a] (allowed: 0)");
  }

  @Test
  void duplicatesWithinTheBound() {
    Received<String> received = received(profile.withDuplicates(0.1), "a", "b", "a");
    received.awaitExactly(List.of("a", "b"));
    for (int i = 0; i < 10; i++) {
      received.add(new Fixed("a"));
    }
    assertThatThrownBy(() -> received.awaitExactly(List.of("a", "b")))
        .isInstanceOf(AssertionFailedError.class)
        .hasMessageContaining("(allowed: 6)");
  }

  @Test
  void unknownIsNeverADuplicate() {
    Received<String> received = received(profile.withDuplicates(0.1), "a", "x");
    assertThatThrownBy(() -> received.awaitExactly(List.of("a")))
        .isInstanceOf(AssertionFailedError.class)
        .hasMessageContaining("duplicate or unknown 1[x]");
  }

  @Test
  void oneMoreIsSeen() {
    Received<String> received = received(profile, "a", "b");
    received.staysAt(2);
    assertThatThrownBy(() -> received.staysAt(1)).isInstanceOf(AssertionFailedError.class);
  }

  private static Received<String> received(Profile profile, String... payloads) {
    Received<String> received = new Received<>(profile);
    for (String payload : payloads) {
      received.add(new Fixed(payload));
    }
    return received;
  }

  private record Fixed(Message<String> message) implements Delivery<String> {
    Fixed(String payload) {
      this(Message.of(payload));
    }

    @Override
    public String address() {
      return "address";
    }

    @Override
    public int deliveryCount() {
      return 1;
    }

    @Override
    public boolean isLast() {
      return false;
    }

    @Override
    public Instant deadline() {
      return Instant.MAX;
    }

    @Override
    public CompletionStage<Void> extend(Duration time) {
      return CompletableFuture.completedFuture(null);
    }
  }
}
