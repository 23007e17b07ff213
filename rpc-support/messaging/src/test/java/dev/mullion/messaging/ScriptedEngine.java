package dev.mullion.messaging;

import dev.mullion.messaging.Guarantees.Capacity;
import dev.mullion.messaging.Guarantees.DeliveryPromise;
import dev.mullion.messaging.Guarantees.Durability;
import dev.mullion.messaging.Guarantees.GiveBack;
import dev.mullion.messaging.Guarantees.HeldBack;
import dev.mullion.messaging.Guarantees.Loss;
import dev.mullion.messaging.Guarantees.Order;
import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.Guarantees.Wildcards;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;

/** An engine that hands out what a test tells it to, and records what becomes of it. */
final class ScriptedEngine implements Engine, EngineLink {
  final ManualClock clock = new ManualClock();
  final Map<String, ScriptedSource> sources = new ConcurrentHashMap<>();
  final List<Route> prepared = new ArrayList<>();
  List<Guarantees> rows =
      Arrays.stream(Pattern.values()).map(ScriptedEngine::everything).toList();

  /** Returns a row that promises everything, but keeps a worker from giving back what waits. */
  static Guarantees everything(Pattern pattern) {
    return row(pattern, Capacity.HARD, EnumSet.allOf(Overflow.class), Wildcards.ALL, true, true);
  }

  static Guarantees row(
      Pattern pattern,
      Capacity capacity,
      Set<Overflow> overflows,
      Wildcards wildcards,
      boolean ordered,
      boolean extendable) {
    return new Guarantees(
        pattern,
        DeliveryPromise.AT_LEAST_ONCE,
        Order.PER_KEY,
        Durability.PROCESS,
        Loss.NOTHING,
        Loss.NOTHING,
        Loss.EVERYTHING,
        GiveBack.COUNTED,
        capacity,
        overflows,
        wildcards,
        Duration.ofMillis(1),
        ordered,
        extendable,
        true,
        HeldBack.KEY);
  }

  ScriptedSource source(String name) {
    ScriptedSource source = sources.get(name);
    if (source == null) {
      throw new AssertionError("nobody consumes " + name + ", but " + sources.keySet());
    }
    return source;
  }

  @Override
  public String name() {
    return "scripted";
  }

  @Override
  public List<Guarantees> guarantees() {
    return rows;
  }

  @Override
  public MessagingClock clock() {
    return clock;
  }

  @Override
  public EngineLink open(EngineContext context) {
    return this;
  }

  @Override
  public void prepare(Route route, Declaration declaration) {
    prepared.add(route);
  }

  @Override
  public Source consume(Route route, ConsumerSettings settings, Sink sink) {
    ScriptedSource source = new ScriptedSource(settings, sink);
    sources.put(route.name(), source);
    return source;
  }

  @Override
  public CompletionStage<Void> send(Route route, Message<byte[]> message) {
    source(route.name()).push(new ScriptedDelivery(route.name(), message));
    return CompletableFuture.completedFuture(null);
  }

  @Override
  public boolean trySend(Route.Signal signal, Message<byte[]> message) {
    return false;
  }

  @Override
  public CompletionStage<Void> request(
      Route.Subject subject, long id, Message<byte[]> message, Duration timeout) {
    return CompletableFuture.completedFuture(null);
  }

  @Override
  public void cancelRequest(Route.Subject subject, long id) {}

  @Override
  public DeadLetters deadLetters(Route.Queue queue) {
    throw new UnsupportedOperationException();
  }

  @Override
  public CompletionStage<List<QueueStatus>> queues() {
    return CompletableFuture.completedFuture(List.of());
  }

  @Override
  public CompletionStage<Void> delete(Route.Queue queue) {
    return CompletableFuture.completedFuture(null);
  }

  @Override
  public Health health() {
    return new Health(true, "");
  }

  @Override
  public void close(Duration timeout) {}
}
