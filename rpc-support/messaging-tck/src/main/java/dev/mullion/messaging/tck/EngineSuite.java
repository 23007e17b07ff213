package dev.mullion.messaging.tck;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.Handler;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingBuilder;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.Signal;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.function.Executable;
import org.opentest4j.AssertionFailedError;
import org.opentest4j.TestAbortedException;

/**
 * What the chapters of the suite share: the engine under test, and ways to wait. Each chapter is a
 * public subclass; {@link MessagingTck} has them all.
 */
@TestInstance(TestInstance.Lifecycle.PER_METHOD)
@ExtendWith(PrintedSkips.class)
@SuppressWarnings("exports") // of the extension, which JUnit alone uses
public abstract class EngineSuite {
  private static final AtomicInteger NAMES = new AtomicInteger();
  private static final String RUN =
      Long.toString(ThreadLocalRandom.current().nextLong(36L * 36 * 36 * 36 * 36), 36);
  private static final Duration STOP = Duration.ofSeconds(2);

  private final List<Messaging> open = new ArrayList<>();
  private @Nullable EngineUnderTest underTest;

  /** Creates the suite. */
  protected EngineSuite() {}

  /** Starts the engine for one test. */
  protected abstract EngineUnderTest startEngine() throws Exception;

  @BeforeEach
  final void startUnderTest() throws Exception {
    underTest = startEngine();
  }

  @AfterEach
  final void closeUnderTest() throws Exception {
    closeAll();
    if (underTest != null) {
      underTest.close();
    }
  }

  /** Closes each Messaging of this test, those that hang last, and tells of errors. */
  final void closeAll() {
    List<Messaging> closing;
    synchronized (open) {
      closing = List.copyOf(open);
      open.clear();
    }
    closing.forEach(messaging -> messaging.stop(STOP));
  }

  final EngineUnderTest underTest() {
    return requireNonNull(underTest, "the engine under test has not been started");
  }

  final Profile profile() {
    return underTest().profile();
  }

  final Guarantees guarantees(Pattern pattern) {
    return underTest().engine().guarantees(pattern);
  }

  final Guarantees queues() {
    return guarantees(Pattern.PUSH_PULL);
  }

  final Messaging messaging() throws MessagingException {
    return messaging(builder -> builder);
  }

  final Messaging messaging(UnaryOperator<MessagingBuilder> settings) throws MessagingException {
    Messaging messaging = settings
        .apply(Messaging.builder(underTest().engine()).stopTimeout(STOP))
        .start();
    synchronized (open) {
      open.add(messaging);
    }
    return messaging;
  }

  /** Returns a name that no other test has, on a broker that keeps what earlier runs left. */
  final String fresh(String word) {
    return word + '-' + RUN + '-' + NAMES.incrementAndGet();
  }

  final Topic<String> topic() {
    return Topic.of(fresh("topic"), Codecs.utf8());
  }

  /** Returns a queue whose failed messages come again at once, up to five times. */
  final WorkQueue<String> queue() {
    return queueBuilder().build();
  }

  /** Returns a queue whose failed messages come again at once, up to this number of deliveries. */
  final WorkQueue<String> queue(int maxDeliveries) {
    return queueBuilder().redelivery(Redelivery.immediate(maxDeliveries)).build();
  }

  final WorkQueue.Builder<String> queueBuilder() {
    return WorkQueue.builder(fresh("queue"), Codecs.utf8()).redelivery(Redelivery.immediate(5));
  }

  final Subject<String, String> subject() {
    return Subject.of(fresh("subject"), Codecs.utf8(), Codecs.utf8());
  }

  final Signal<String> signal() {
    return Signal.of(fresh("signal"), Codecs.utf8());
  }

  final <T> Received<T> received() {
    return new Received<>(profile());
  }

  /** Returns a handler that fails each time. */
  static <T> Handler<T> failing(Received<T> received, String text) {
    return delivery -> {
      received.add(delivery);
      throw new IllegalStateException(text);
    };
  }

  /** Returns a handler that returns when it is released, or after 20 seconds. */
  static <T> Handler<T> held(Received<T> received, CountDownLatch release) {
    return delivery -> {
      received.add(delivery);
      release.await(20, TimeUnit.SECONDS);
    };
  }

  /** Returns the numbers from 0 as texts, each with a prefix. */
  static List<String> numbered(String prefix, int count) {
    return IntStream.range(0, count).mapToObj(i -> prefix + i).toList();
  }

  /** Waits until a subscription is ready, and returns it. */
  final Subscription ready(Subscription subscription) {
    get(subscription.ready(), profile().firstDelivery(), "ready() of " + subscription.address());
    return subscription;
  }

  final <T> T get(CompletionStage<T> stage) {
    return get(stage, profile().delivery(), "completion");
  }

  final void getAll(Collection<? extends CompletionStage<?>> stages) {
    stages.forEach(this::get);
  }

  final <T> List<CompletionStage<Void>> pushAll(
      Messaging messaging, WorkQueue<T> queue, Collection<T> payloads) {
    List<CompletionStage<Void>> pushed = new ArrayList<>();
    payloads.forEach(payload -> pushed.add(messaging.push(queue, payload)));
    getAll(pushed);
    return pushed;
  }

  final <T> void publishAll(Messaging messaging, Topic<T> topic, Collection<T> payloads) {
    List<CompletionStage<Void>> published = new ArrayList<>();
    payloads.forEach(payload -> published.add(messaging.publish(topic, payload)));
    getAll(published);
  }

  static <T> T get(CompletionStage<T> stage, Duration timeout, String what) {
    try {
      return stage.toCompletableFuture().get(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      throw new AssertionFailedError(what + " failed: " + e.getCause(), e.getCause());
    } catch (TimeoutException e) {
      throw new AssertionFailedError(what + " took more than " + timeout.toMillis() + " ms", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionFailedError("interrupted while waiting for " + what, e);
    }
  }

  /** Returns with what a stage fails, which must be of this class. */
  final <E extends Throwable> E failure(Class<E> expected, CompletionStage<?> stage) {
    try {
      Object result =
          stage.toCompletableFuture().get(profile().delivery().toMillis(), TimeUnit.MILLISECONDS);
      throw new AssertionFailedError(
          expected.getSimpleName() + " expected, but it completed with " + result);
    } catch (ExecutionException e) {
      if (expected.isInstance(e.getCause())) {
        return expected.cast(e.getCause());
      }
      throw new AssertionFailedError(
          expected.getSimpleName() + " expected, but it failed with " + e.getCause(), e.getCause());
    } catch (TimeoutException e) {
      throw new AssertionFailedError(
          expected.getSimpleName() + " expected within " + profile().delivery(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionFailedError("interrupted while waiting", e);
    }
  }

  /** Checks that an error's text has all of these, as it must to be of help. */
  static void assertText(Throwable error, Object... parts) {
    String text = String.valueOf(error.getMessage());
    for (Object part : parts) {
      if (!text.replace(",", "").contains(String.valueOf(part))) {
        throw new AssertionFailedError(error + " (expected: a text with " + part + ")", error);
      }
    }
  }

  final void await(String what, BooleanSupplier condition, Supplier<?> seen) {
    await(what, profile().delivery(), condition, seen);
  }

  static void await(String what, Duration timeout, BooleanSupplier condition, Supplier<?> seen) {
    long end = System.nanoTime() + timeout.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - end > 0) {
        throw new AssertionFailedError(
            what + " expected within " + timeout.toMillis() + " ms; seen: " + seen.get());
      }
      LockSupport.parkNanos(500_000);
    }
  }

  /** Checks that a condition stays true for the profile's time. */
  final void holds(String what, BooleanSupplier condition, Supplier<?> seen) {
    long end = System.nanoTime() + profile().quiet().toNanos();
    do {
      if (!condition.getAsBoolean()) {
        throw new AssertionFailedError(what + " expected all the time; seen: " + seen.get());
      }
      LockSupport.parkNanos(500_000);
    } while (System.nanoTime() - end < 0);
  }

  /** Runs something that must return at once, although what it is about is full or away. */
  final void atOnce(String what, Executable action) throws Throwable {
    long start = System.nanoTime();
    action.execute();
    long took = System.nanoTime() - start;
    if (took > profile().instant().toNanos()) {
      throw new AssertionFailedError(
          what + " took " + took / 1_000_000 + " ms, at most " + profile().instant());
    }
  }

  final QueueStatus status(Messaging messaging, WorkQueue<?> queue) {
    return get(messaging.queues()).stream()
        .filter(each -> each.name().equals(queue.name()))
        .filter(each -> each.source().equals(queue.source().map(Topic::name)))
        .findFirst()
        .orElseThrow(() -> new AssertionFailedError("no status of " + queue));
  }

  final long deadLetters(Messaging messaging, WorkQueue<?> queue) {
    return get(messaging.deadLetters(queue).count());
  }

  final void awaitDeadLetters(Messaging messaging, WorkQueue<?> queue, long count) {
    await(
        count + " dead letters",
        () -> deadLetters(messaging, queue) == count,
        () -> get(messaging.deadLetters(queue).peek(20)));
  }

  /** Pushes a message that fails until it is a dead letter, and returns its deliveries. */
  final Received<String> failAlways(HandlerKind kind, Messaging messaging, WorkQueue<String> queue)
      throws MessagingException {
    Received<String> received = received();
    ready(kind.start(messaging.worker(queue), failing(received, "always")));
    get(messaging.push(queue, "job"));
    awaitDeadLetters(messaging, queue, 1);
    return received;
  }

  /** Returns the payload of a dead letter. */
  static String text(DeadLetter letter) {
    return new String(letter.original().payload(), StandardCharsets.UTF_8);
  }

  final void awaitAcknowledged(Subscription worker, int count) {
    await(
        count + " acknowledged", () -> worker.counters().acknowledged() >= count, worker::counters);
  }

  /** Checks that each delivery was its message's first: none before it was counted. */
  static void assertFirstDeliveries(Received<?> received) {
    received.entries().forEach(entry -> assertEquals(1, entry.count(), entry.toString()));
  }

  /** Skips the case unless the engine promises it. */
  final void assume(boolean promised, String field, Object value) {
    if (!promised) {
      throw skipped(field, "Guarantees." + field + " is " + value);
    }
  }

  /** Returns the engine under test as one that can do more, or skips the case. */
  final <C> C capability(Class<C> capability, String field) {
    EngineUnderTest engine = underTest();
    if (!capability.isInstance(engine)) {
      throw skipped(
          field,
          "Guarantees." + field + " of " + engine.engine().name() + ": the engine under test is no "
              + capability.getSimpleName());
    }
    return capability.cast(engine);
  }

  private TestAbortedException skipped(String field, String reason) {
    if (Stream.of(Guarantees.class.getRecordComponents())
        .noneMatch(each -> each.getName().equals(field))) {
      throw new IllegalArgumentException("field: " + field + " (expected: one of Guarantees)");
    }
    underTest().skipping(field, reason);
    return new TestAbortedException(reason);
  }
}
