package dev.mullion.messaging;

import dev.mullion.messaging.MessagingObserver.Scope;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/**
 * The user's observers as one. What one of them throws is counted and logged, and the message goes
 * on as it was before that observer.
 */
final class Observers {
  static final Scope NONE = error -> {};

  private final List<MessagingObserver> observers;
  private final LongAdder failures = new LongAdder();

  Observers(List<MessagingObserver> observers) {
    this.observers = List.copyOf(observers);
  }

  boolean areNone() {
    return observers.isEmpty();
  }

  /** Returns the message to send. */
  <T> Message<T> sending(String address, Message<T> message) {
    return changed("sending", message, (observer, next) -> observer.sending(address, next));
  }

  /** Returns the reply to send. */
  <T> Message<T> replying(String address, Message<?> request, Message<T> reply) {
    return changed(
        "replying", reply, (observer, next) -> observer.replying(address, request, next));
  }

  private <T> Message<T> changed(
      String method,
      Message<T> message,
      BiFunction<MessagingObserver, Message<T>, Message<T>> change) {
    Message<T> changed = message;
    for (MessagingObserver observer : observers) {
      try {
        changed = nonNull(change.apply(observer, changed), method);
      } catch (Throwable e) {
        failed(observer, e);
      }
    }
    return changed;
  }

  /** Opens the scopes of all observers; they are closed in reverse order, on any failure too. */
  Scope handling(String address, Message<?> message) {
    if (observers.isEmpty()) {
      return NONE;
    }
    List<Opened> scopes = new ArrayList<>(observers.size());
    for (MessagingObserver observer : observers) {
      try {
        scopes.add(new Opened(observer, nonNull(observer.handling(address, message), "handling")));
      } catch (Throwable e) {
        failed(observer, e);
      }
    }
    return error -> close(scopes, error);
  }

  /** Returns the number of exceptions that observers threw. */
  long failures() {
    return failures.sum();
  }

  private void close(List<Opened> scopes, @Nullable Throwable error) {
    for (int i = scopes.size() - 1; i >= 0; i--) {
      Opened opened = scopes.get(i);
      try {
        opened.scope().close(error);
      } catch (Throwable e) {
        failed(opened.observer(), e);
      }
    }
  }

  private static <V> V nonNull(@Nullable V value, String method) {
    if (value == null) {
      throw new NullPointerException("MessagingObserver." + method + " returned null");
    }
    return value;
  }

  private void failed(MessagingObserver observer, Throwable error) {
    failures.increment();
    LimitedLog.warn("observer", observer.getClass().getName() + " threw an exception", error);
  }

  private record Opened(MessagingObserver observer, Scope scope) {}
}
