package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** The receiving half of a {@code Messaging} on a {@link ScriptedEngine}. */
final class Receiving implements AutoCloseable {
  final ScriptedEngine engine;
  final Events events = new Events();
  final ExecutorService callbacks = Executors.newCachedThreadPool();
  final Subscriptions subscriptions;
  final AtomicInteger failingCallbacks = new AtomicInteger();

  Receiving() {
    this(new MessagingBuilder(new ScriptedEngine()));
  }

  Receiving(MessagingBuilder settings) {
    engine = (ScriptedEngine) settings.engine;
    Observers observers = new Observers(settings.observers);
    subscriptions = new Subscriptions(
        engine,
        settings,
        this::callback,
        new ListenerCalls(events, engine.clock),
        observers,
        new Outgoing(observers, settings.maxMessageSize),
        new Declared(engine));
  }

  private void callback(Runnable task) {
    if (failingCallbacks.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
      throw new OutOfMemoryError("unable to create native thread, on purpose");
    }
    callbacks.execute(task);
  }

  ScriptedSource source(String name) {
    return engine.source(name);
  }

  /** Waits for a condition, with a deadline. */
  static void await(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + Duration.ofSeconds(10).toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > end) {
        throw new AssertionError("not within 10 s: " + what);
      }
      LockSupport.parkNanos(100_000);
    }
  }

  /** Checks that each message that was received is in exactly one of the counts. */
  static SubscriptionCounters checked(Subscription subscription) {
    SubscriptionCounters counters = subscription.counters();
    assertThat(counters.acknowledged()
            + counters.failed()
            + counters.timedOut()
            + counters.rejected()
            + counters.undecodable()
            + counters.givenBack()
            + counters.buried()
            + counters.inFlight()
            + counters.buffered())
        .as("%s", counters)
        .isEqualTo(counters.delivered());
    assertThat(counters.inFlight()).as("%s", counters).isNotNegative();
    assertThat(counters.buffered()).as("%s", counters).isNotNegative();
    return counters;
  }

  @Override
  public void close() {
    subscriptions.stop(Duration.ofSeconds(1));
    callbacks.shutdownNow();
  }

  /** What the listener was told. */
  static final class Events implements MessagingListener {
    final List<String> failed = new CopyOnWriteArrayList<>();
    final List<DeadLetter> deadLetters = new CopyOnWriteArrayList<>();
    final List<String> slow = new CopyOnWriteArrayList<>();
    final List<String> dropped = new CopyOnWriteArrayList<>();

    @Override
    public void dropped(String address, Overflow policy, long sinceLastTime) {
      dropped.add(address + " " + policy + " " + sinceLastTime);
    }

    @Override
    public void slowConsumer(String address, int buffered, Duration oldest) {
      slow.add(address + " " + buffered + " " + oldest);
    }

    @Override
    public void handlerFailed(Delivery<?> delivery, Throwable error) {
      failed.add(delivery.address() + " " + error.getMessage());
    }

    @Override
    public void deadLettered(DeadLetter letter) {
      deadLetters.add(letter);
    }
  }
}
