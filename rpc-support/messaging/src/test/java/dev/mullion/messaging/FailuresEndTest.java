package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Source;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * An {@code Error} that is thrown anywhere inside the engine, once, leaves nobody waiting: each
 * stage that was returned ends, and so do the deliveries. The errors are those of a clock or a
 * store that fail in one of their calls, in each in turn. Outcomes were never answered when an
 * error came between the disk and the queue, and neither were all later sends of the same change.
 */
class FailuresEndTest {
  private static final Outcome[] OUTCOMES = {
    new Outcome.Acknowledge(),
    EmbeddedFixture.redeliver(0),
    EmbeddedFixture.redeliver(5),
    new Outcome.GiveBack(true),
    new Outcome.GiveBack(false),
    EmbeddedFixture.bury(DeadLetter.Reason.REJECTED)
  };

  /** Where the messages are. */
  enum Kind {
    IN_MEMORY,
    STORED,
    STORED_LATER
  }

  private final ManualClock time = new ManualClock();
  private final AtomicInteger callsLeft = new AtomicInteger(Integer.MAX_VALUE);
  private final List<CompletionStage<?>> stages = new ArrayList<>();

  @ParameterizedTest
  @EnumSource(Kind.class)
  void eachStageEndsWhateverFails(Kind kind) throws Exception {
    int failing = 0;
    do {
      run(kind, failing);
      failing++;
    } while (callsLeft.get() < 0 && failing < 2_000); // until no call was left to fail
    assertThat(failing).isBetween(50, 1_999);
  }

  private void run(Kind kind, int failing) throws Exception {
    stages.clear();
    callsLeft.set(Integer.MAX_VALUE);
    MemoryStore store = kind == Kind.IN_MEMORY ? null : new MemoryStore();
    if (store != null) {
      store.held = kind == Kind.STORED_LATER;
    }
    EmbeddedBroker broker = new EmbeddedBroker(
        "failing", failing(MessagingClock.class, time), store == null ? null : failing(store));
    EngineLink link = broker.open(new EngineContext(
        EmbeddedFixture.events(new ArrayList<>()), Runnable::run, 100, Duration.ofSeconds(1)));
    callsLeft.set(failing);
    attempt(() -> scenario(link, store));
    boolean failed = callsLeft.getAndSet(Integer.MAX_VALUE) < 0;
    for (int i = 0; i < 3; i++) {
      commit(store);
      attempt(() -> time.advance(Duration.ofMinutes(5)));
    }
    attempt(link::close);
    commit(store);
    attempt(broker::close);
    Receiving.await(
        "the end of all stages, call " + failing,
        () -> stages.stream().allMatch(each -> each.toCompletableFuture().isDone()));
    callsLeft.set(failed ? -1 : Integer.MAX_VALUE);
  }

  private void scenario(EngineLink link, @Nullable MemoryStore store) {
    Route.Queue queue = EmbeddedFixture.builder("q").capacity(6).build().route();
    Route.Queue group = Topic.of("t", Codecs.bytes()).group("g").route();
    attempt(() -> declare(link, queue, store));
    attempt(() -> declare(link, group, store));
    for (int i = 0; i < 8; i++) {
      String text = "m" + i;
      ask(() -> link.send(queue, EmbeddedFixture.message(text)));
      ask(() -> link.send(new Route.Topic("t"), EmbeddedFixture.message(text)));
    }
    commit(store);
    for (Route.Queue each : List.of(queue, group)) {
      AtomicReference<@Nullable Source> source = new AtomicReference<>();
      RecordingSink sink = new RecordingSink();
      ConsumerSettings settings = new ConsumerSettings(8, 8, 8, Overflow.DROP_OLDEST);
      attempt(() -> source.set(link.consume(each, settings, sink)));
      Source consumer = source.get();
      if (consumer != null) {
        attempt(() -> consumer.request(20));
        settle(sink, store);
        probe(link, each, consumer, sink, store);
        attempt(consumer::close);
      }
      DeadLetters letters = link.deadLetters(each);
      ask(letters::count);
      ask(() -> letters.peek(3));
      ask(() -> letters.redrive(1, any -> true));
      ask(() -> letters.purge(any -> true));
      commit(store);
    }
    live(link, store);
    requests(link);
    ask(() -> link.delete(group));
    commit(store);
  }

  private static void declare(EngineLink link, Route.Queue queue, @Nullable MemoryStore store)
      throws MessagingException {
    boolean held = store != null && store.held;
    if (store != null) {
      store.held = false; // the call waits for it
    }
    try {
      link.prepare(queue, Declaration.CHECK);
    } finally {
      if (store != null) {
        store.held = held;
      }
    }
  }

  private void settle(RecordingSink sink, @Nullable MemoryStore store) {
    for (int i = 0; i < sink.deliveries.size() && i < 24; i++) {
      RawDelivery delivery = sink.deliveries.get(i);
      Outcome outcome = OUTCOMES[i % OUTCOMES.length];
      attempt(delivery::begin);
      ask(() -> delivery.settle(outcome));
      if (i % 5 == 4) {
        commit(store);
        attempt(() -> time.advance(Duration.ofMillis(10)));
      }
    }
    commit(store);
  }

  /** A source that had its failure goes on to deliver. */
  private void probe(
      EngineLink link,
      Route route,
      Source consumer,
      RecordingSink sink,
      @Nullable MemoryStore store) {
    if (callsLeft.get() >= 0 || !sink.failures.isEmpty()) {
      return;
    }
    Route to = route instanceof Route.Queue queue && queue.source().isPresent()
        ? new Route.Topic("t")
        : route;
    String text = "probe of " + route.name();
    AtomicReference<@Nullable CompletionStage<Void>> sent = new AtomicReference<>();
    attempt(() -> consumer.request(50));
    attempt(() -> sent.set(link.send(to, EmbeddedFixture.message(text))));
    commit(store);
    attempt(() -> time.advance(Duration.ofSeconds(2)));
    CompletionStage<Void> stage = sent.get();
    if (stage != null && !stage.toCompletableFuture().isCompletedExceptionally()) {
      Receiving.await(text, () -> {
        commit(store);
        return sink.texts().contains(text) || !sink.failures.isEmpty(); // or it was told its end
      });
    }
  }

  /** A subscriber with a full buffer, for which senders wait. */
  private void live(EngineLink link, @Nullable MemoryStore store) {
    Route.Topic topic = new Route.Topic("live");
    RecordingSink sink = new RecordingSink();
    ConsumerSettings settings = new ConsumerSettings(8, 8, 2, Overflow.BLOCK);
    AtomicReference<@Nullable Source> source = new AtomicReference<>();
    attempt(() -> source.set(link.consume(topic, settings, sink)));
    Source consumer = source.get();
    if (consumer == null) {
      return;
    }
    for (int i = 0; i < 6; i++) {
      Message<byte[]> message =
          EmbeddedFixture.message("l" + i).withTimeToLive(Duration.ofSeconds(i % 2 == 0 ? 9 : 1));
      ask(() -> link.send(topic, message));
    }
    attempt(() -> time.advance(Duration.ofMillis(900)));
    attempt(() -> consumer.request(1));
    attempt(() -> time.advance(Duration.ofMillis(200)));
    attempt(() -> consumer.request(2));
    probe(link, topic, consumer, sink, store);
    attempt(consumer::close);
  }

  private void requests(EngineLink link) {
    Route.Subject subject = new Route.Subject("s");
    RecordingSink sink = new RecordingSink();
    ConsumerSettings settings = new ConsumerSettings(8, 8, 2, Overflow.BLOCK);
    AtomicReference<@Nullable Source> source = new AtomicReference<>();
    attempt(() -> source.set(link.consume(subject, settings, sink)));
    for (int i = 0; i < 4; i++) {
      long id = i;
      Message<byte[]> message = EmbeddedFixture.message("r" + i);
      ask(() -> link.request(subject, id, message, Duration.ofSeconds(1)));
    }
    Source consumer = source.get();
    if (consumer != null) {
      attempt(() -> consumer.request(3));
      for (RawDelivery each : sink.deliveries) {
        ask(() -> each.settle(new Outcome.Acknowledge()));
        ask(() -> ((RawDelivery.Request) each).reply(Reply.of(1, EmbeddedFixture.message("y"))));
      }
      attempt(consumer::close);
    }
  }

  private void ask(Question question) {
    attempt(() -> stages.add(question.ask()));
  }

  /** What the caller sees itself is an end, too. */
  private static void attempt(Step step) {
    try {
      step.run();
    } catch (Exception | StackOverflowError seen) {
      assertThat(seen).isNotInstanceOf(NullPointerException.class);
    }
  }

  private static void commit(@Nullable MemoryStore store) {
    if (store != null) {
      store.commit();
    }
  }

  private Store failing(MemoryStore store) {
    return failing(Store.class, store);
  }

  /** Returns a thing whose calls are counted, and one of which fails. */
  private <T> T failing(Class<T> type, T real) {
    return type.cast(Proxy.newProxyInstance(
        type.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
          if (callsLeft.getAndDecrement() == 0) {
            throw new StackOverflowError("thrown on purpose");
          }
          try {
            return method.invoke(real, arguments);
          } catch (InvocationTargetException e) {
            throw e.getCause();
          }
        }));
  }

  /** What may fail. */
  private interface Step {
    void run() throws Exception;
  }

  /** What is asked. */
  private interface Question {
    CompletionStage<?> ask() throws Exception;
  }
}
