package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class ObserversTest {
  private final List<String> events = new ArrayList<>();

  private final class Named implements MessagingObserver {
    private final String name;

    Named(String name) {
      this.name = name;
    }

    @Override
    public <T> Message<T> sending(String address, Message<T> message) {
      return message.withHeader(name, address + message.headers().size());
    }

    @Override
    public Scope handling(String address, Message<?> message) {
      events.add("open " + name + " " + address);
      return error -> events.add("close " + name + " " + error);
    }
  }

  private static final class Broken implements MessagingObserver {
    private final boolean opens;

    Broken(boolean opens) {
      this.opens = opens;
    }

    @Override
    public <T> Message<T> sending(String address, Message<T> message) {
      throw new AssertionError("sending");
    }

    @Override
    public Scope handling(String address, Message<?> message) {
      if (!opens) {
        throw new AssertionError("handling");
      }
      return error -> {
        throw new AssertionError("close");
      };
    }
  }

  private static final class Null implements MessagingObserver {
    @Override
    @SuppressWarnings("NullAway") // What it must not do.
    public <T> Message<T> sending(String address, Message<T> message) {
      return null;
    }

    @Override
    @SuppressWarnings("NullAway") // What it must not do.
    public Scope handling(String address, Message<?> message) {
      return null;
    }
  }

  @Test
  void messageGoesOnAsItWasBeforeTheObserverThatFails() {
    Observers observers =
        new Observers(List.of(new Named("a"), new Broken(true), new Null(), new Named("b")));

    Message<String> sent = observers.sending("x", Message.of("payload"));

    assertThat(sent.headers())
        .containsExactly(java.util.Map.entry("a", "x0"), java.util.Map.entry("b", "x1"));
    assertThat(sent.payload()).isEqualTo("payload");
    assertThat(observers.failures()).isEqualTo(2);
  }

  @Test
  void scopesAreClosedInReverseOrderWhateverOneDoes() {
    Observers observers = new Observers(
        List.of(new Named("a"), new Broken(false), new Broken(true), new Null(), new Named("b")));
    Throwable error = new IllegalStateException("x");

    observers.handling("t", Message.of("payload")).close(error);

    assertThat(events)
        .containsExactly("open a t", "open b t", "close b " + error, "close a " + error);
    assertThat(observers.failures()).isEqualTo(3);
  }

  @Test
  void withoutObserversNothingIsMade() {
    Observers observers = new Observers(List.of());
    Message<String> message = Message.of("x");

    assertThat(observers.sending("t", message)).isSameAs(message);
    @Nullable Throwable none = null;
    observers.handling("t", message).close(none);
    assertThat(observers.failures()).isZero();
  }
}
