package dev.mullion.messaging;

import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.engine.EngineLink;
import java.time.Duration;
import java.util.concurrent.Executor;

/** The subscriptions of one {@code Messaging}. */
@SuppressWarnings("DoNotCallSuggester")
final class Subscriptions {
  Subscriptions(
      Engine engine,
      EngineLink link,
      MessagingBuilder settings,
      Executor callbacks,
      ListenerCalls listener,
      Observers observers,
      Declared declared) {}

  <T> WorkerBuilder<T> worker(WorkQueue<T> queue) {
    throw new UnsupportedOperationException();
  }

  <T> SubscriberBuilder<T> subscriber(Topic<T> topic) {
    throw new UnsupportedOperationException();
  }

  <T> SubscriberBuilder<T> receiver(Signal<T> signal) {
    throw new UnsupportedOperationException();
  }

  <Q, R> ReplierBuilder<Q, R> replier(Subject<Q, R> subject) {
    throw new UnsupportedOperationException();
  }

  StopReport stop(Duration timeout) {
    return new StopReport(timeout, 0, 0, 0);
  }

  boolean isInside() {
    return false;
  }

  long handlersRunning() {
    return 0;
  }

  long handlersWaiting() {
    return 0;
  }

  long dropped() {
    return 0;
  }
}
