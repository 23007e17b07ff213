package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;

/** A {@code Messaging} on an engine that does what the test says. */
abstract class CoreTest {
  static final Topic<String> ORDERS = Topic.of("orders", Codecs.utf8());
  static final WorkQueue<String> JOBS = WorkQueue.of("jobs", Codecs.utf8());
  static final Subject<String, String> CAPITALS =
      Subject.of("capitals", Codecs.utf8(), Codecs.utf8());
  static final Signal<String> TICKS = Signal.of("ticks", Codecs.utf8());

  final FakeEngine engine = new FakeEngine();
  private @org.jspecify.annotations.Nullable Messaging started;

  MessagingBuilder settings() {
    return Messaging.builder(engine);
  }

  Messaging start() throws Exception {
    return start(settings());
  }

  Messaging start(MessagingBuilder settings) throws Exception {
    Messaging messaging = settings.start();
    started = messaging;
    return messaging;
  }

  @AfterEach
  void stopAndBalance() {
    Messaging messaging = started;
    if (messaging != null) {
      messaging.stop(java.time.Duration.ZERO);
      MessagingCounters counters = messaging.counters();
      assertThat(counters.pending()).isZero();
      assertThat(counters.pendingBytes()).isZero();
    }
  }

  static Throwable failure(CompletableFuture<?> future) throws Exception {
    try {
      throw new AssertionError("has a result: " + future.get(20, TimeUnit.SECONDS));
    } catch (ExecutionException e) {
      return requireNonNull(e.getCause());
    }
  }

  static <T> T result(CompletableFuture<T> future) throws Exception {
    return future.get(20, TimeUnit.SECONDS);
  }
}
