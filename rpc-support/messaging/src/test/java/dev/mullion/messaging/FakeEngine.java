package dev.mullion.messaging;

import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BiFunction;
import java.util.function.BiPredicate;
import org.jspecify.annotations.Nullable;

/** An engine whose sending side does what a test says, by a clock that the test moves. */
final class FakeEngine implements Engine, EngineLink {
  static final CompletionStage<@Nullable Void> DONE = CompletableFuture.completedFuture(null);

  final ManualClock clock = new ManualClock();
  final List<String> calls = new CopyOnWriteArrayList<>();
  final List<Message<byte[]>> messages = new CopyOnWriteArrayList<>();

  volatile @Nullable EngineContext context;
  volatile Preparing preparing = (route, declaration) -> {};
  volatile BiFunction<Route, Message<byte[]>, @Nullable CompletionStage<@Nullable Void>> sending =
      (route, message) -> DONE;
  volatile BiFunction<Long, Message<byte[]>, @Nullable CompletionStage<@Nullable Void>> requesting =
      (id, message) -> DONE;
  volatile BiPredicate<Route.Signal, Message<byte[]>> tryingToSend = (signal, message) -> true;
  volatile Opening opening = () -> {};
  volatile Runnable closing = () -> {};
  volatile DeadLetters letters = new NoLetters();
  volatile CompletionStage<List<QueueStatus>> queues = CompletableFuture.completedFuture(List.of());
  volatile CompletionStage<@Nullable Void> deleted = DONE;

  @FunctionalInterface
  interface Preparing {
    void prepare(Route route, Declaration declaration) throws MessagingException;
  }

  @FunctionalInterface
  interface Opening {
    void open() throws MessagingException;
  }

  EngineContext context() {
    EngineContext given = context;
    if (given == null) {
      throw new IllegalStateException("not opened");
    }
    return given;
  }

  @Override
  public String name() {
    return "fake";
  }

  @Override
  public List<Guarantees> guarantees() {
    return List.of(ScriptedEngine.everything(Pattern.PUSH_PULL));
  }

  @Override
  public MessagingClock clock() {
    return clock;
  }

  @Override
  public EngineLink open(EngineContext context) throws MessagingException {
    this.context = context;
    calls.add("open");
    opening.open();
    return this;
  }

  @Override
  public void prepare(Route route, Declaration declaration) throws MessagingException {
    calls.add("prepare " + route.name() + " " + declaration);
    preparing.prepare(route, declaration);
  }

  @Override
  @SuppressWarnings("NullAway") // A broken engine returns null.
  public CompletionStage<Void> send(Route route, Message<byte[]> message) {
    messages.add(message);
    return sending.apply(route, message);
  }

  @Override
  public boolean trySend(Route.Signal signal, Message<byte[]> message) {
    messages.add(message);
    return tryingToSend.test(signal, message);
  }

  @Override
  @SuppressWarnings("NullAway") // A broken engine returns null.
  public CompletionStage<Void> request(
      Route.Subject subject, long id, Message<byte[]> message, Duration timeout) {
    calls.add("request " + id + " " + timeout);
    messages.add(message);
    return requesting.apply(id, message);
  }

  @Override
  public void cancelRequest(Route.Subject subject, long id) {
    calls.add("cancel " + id);
  }

  @Override
  public Source consume(Route route, ConsumerSettings settings, Sink sink) {
    throw new UnsupportedOperationException("FakeEngine only sends");
  }

  @Override
  public DeadLetters deadLetters(Route.Queue queue) {
    return letters;
  }

  @Override
  public CompletionStage<List<QueueStatus>> queues() {
    return queues;
  }

  @Override
  public CompletionStage<Void> delete(Route.Queue queue) {
    calls.add("delete " + queue.id());
    return deleted;
  }

  @Override
  public Health health() {
    return new Health(true, "");
  }

  @Override
  public Guarantees guarantees(Pattern pattern) {
    throw new UnsupportedOperationException("fake has no " + pattern);
  }

  @Override
  public void close(Duration timeout) {
    calls.add("close");
    closing.run();
  }

  /** There are none. */
  private static final class NoLetters implements DeadLetters {
    @Override
    public CompletionStage<Long> count() {
      return CompletableFuture.completedFuture(0L);
    }

    @Override
    public CompletionStage<List<DeadLetter>> peek(int max) {
      return CompletableFuture.completedFuture(List.of());
    }

    @Override
    public CompletionStage<Long> redrive(int max, java.util.function.Predicate<DeadLetter> which) {
      return CompletableFuture.failedFuture(new IllegalStateException("no letters"));
    }

    @Override
    public CompletionStage<Long> purge(java.util.function.Predicate<DeadLetter> which) {
      throw new IllegalStateException("no letters");
    }
  }
}
