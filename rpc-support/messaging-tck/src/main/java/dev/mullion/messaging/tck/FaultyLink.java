package dev.mullion.messaging.tck;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.Health;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineEvents;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** One connection of a {@link FaultyEngine}. */
final class FaultyLink extends ForwardingLink {
  private static final String WHERE = "faulty engine";

  /** Runs what is late; none of it blocks. */
  static final ScheduledExecutorService LATER = new ScheduledThreadPoolExecutor(1, task -> {
    Thread thread = new Thread(task, "faulty-engine");
    thread.setDaemon(true);
    return thread;
  });

  private final FaultyEngine engine;
  private final EngineEvents events;
  private final List<FaultySource> sources = new CopyOnWriteArrayList<>();
  private volatile long cutSince;

  FaultyLink(FaultyEngine engine, EngineLink link, EngineEvents events) {
    super(link);
    this.engine = engine;
    this.events = events;
  }

  static BrokerAwayException cutOff(boolean maybeAccepted) {
    return new BrokerAwayException(
        "connection cut by a fault (" + WHERE + ")", null, maybeAccepted);
  }

  void cut() {
    cutSince = System.nanoTime();
    sources.forEach(FaultySource::cut);
    events.connectionLost(WHERE, cutOff(true));
  }

  void restore() throws MessagingException {
    for (FaultySource source : sources) {
      source.restore();
    }
    events.connectionRestored(WHERE, Duration.ofNanos(System.nanoTime() - cutSince));
  }

  void closed(FaultySource source) {
    sources.remove(source);
  }

  @Override
  public void prepare(Route route, Declaration declaration) throws MessagingException {
    throwIfAway();
    super.prepare(route, declaration);
  }

  private void throwIfAway() throws MessagingException {
    if (engine.isAway()) {
      throw cutOff(false);
    }
  }

  @Override
  public CompletionStage<Void> send(Route route, Message<byte[]> message) {
    return engine.isAway()
        ? CompletableFuture.failedFuture(cutOff(false))
        : late(super.send(route, message));
  }

  private <T> CompletionStage<T> late(CompletionStage<T> stage) {
    long delay = engine.delayNanos();
    if (delay == 0) {
      return stage;
    }
    CompletableFuture<T> late = new CompletableFuture<>();
    stage.whenComplete((result, error) -> LATER.schedule(
        () -> error == null ? late.complete(result) : late.completeExceptionally(error),
        delay,
        TimeUnit.NANOSECONDS));
    return late;
  }

  @Override
  public boolean trySend(Route.Signal signal, Message<byte[]> message) {
    return !engine.isAway() && super.trySend(signal, message);
  }

  @Override
  public CompletionStage<Void> request(
      Route.Subject subject, long id, Message<byte[]> message, Duration timeout) {
    return engine.isAway()
        ? CompletableFuture.failedFuture(cutOff(false))
        : late(super.request(subject, id, message, timeout));
  }

  @Override
  public Source consume(Route route, ConsumerSettings settings, Sink sink)
      throws MessagingException {
    throwIfAway();
    FaultySource source = new FaultySource(engine, this, link, route, settings, sink);
    source.restore();
    sources.add(source);
    return source;
  }

  @Override
  public Health health() {
    return engine.isAway() ? new Health(false, "cut (" + WHERE + ")") : super.health();
  }

  @Override
  public void close(Duration timeout) {
    engine.closed(this);
    super.close(timeout);
  }
}
