package dev.mullion.messaging.grpc;

import dev.mullion.messaging.ConflictingDeclarationException;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.DeadLetters;
import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.Health;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** An engine that does what a test says, and notes what a server asks of it. */
final class ScriptedEngine implements Engine {
  final List<Link> links = new CopyOnWriteArrayList<>();
  final Map<String, Consumer> consumers = new ConcurrentHashMap<>();
  final List<String> prepared = new CopyOnWriteArrayList<>();
  final Map<String, Route.Queue> declared = new ConcurrentHashMap<>();
  final List<Message<byte[]>> sent = Collections.synchronizedList(new ArrayList<>());
  final List<CompletableFuture<Void>> held = new CopyOnWriteArrayList<>();
  final AtomicInteger failingRequests = new AtomicInteger();
  final AtomicInteger listings = new AtomicInteger();
  volatile CompletableFuture<List<QueueStatus>> listing =
      CompletableFuture.completedFuture(List.of());
  volatile CompletableFuture<Void> deleting = CompletableFuture.completedFuture(null);
  volatile boolean holdSends;
  volatile @Nullable MessagingException sendError;

  @Override
  public String name() {
    return "scripted";
  }

  @Override
  public List<Guarantees> guarantees() {
    List<Guarantees> rows = new ArrayList<>();
    for (Guarantees.Pattern pattern : Guarantees.Pattern.values()) {
      rows.add(new Guarantees(
          pattern,
          Guarantees.DeliveryPromise.AT_MOST_ONCE,
          Guarantees.Order.PER_SENDER,
          Guarantees.Durability.PROCESS,
          Guarantees.Loss.EVERYTHING,
          Guarantees.Loss.EVERYTHING,
          Guarantees.Loss.EVERYTHING,
          Guarantees.GiveBack.UNCOUNTED,
          Guarantees.Capacity.HARD,
          Set.of(Overflow.BLOCK, Overflow.DROP_OLDEST),
          Guarantees.Wildcards.ALL,
          Duration.ofMillis(1),
          true,
          true,
          true,
          Guarantees.HeldBack.KEY));
    }
    return rows;
  }

  @Override
  public EngineLink open(EngineContext context) {
    Link link = new Link(context);
    links.add(link);
    return link;
  }

  /** Waits for a consumer of an address. */
  Consumer consumer(String address) {
    return Eventually.nonNull("a consumer of " + address, () -> consumers.get(address));
  }

  Delivery deliver(String address, String payload) {
    return deliver(address, payload, 0, 0);
  }

  /** Delivers, once there is credit. */
  Delivery deliver(String address, String payload, int failures, int losses) {
    Delivery delivery = new Delivery(address, payload, failures, losses);
    deliver(delivery);
    return delivery;
  }

  Request request(String address, String payload) {
    Request request = new Request(address, payload);
    deliver(request);
    return request;
  }

  void deliver(Delivery delivery) {
    Consumer consumer = consumer(delivery.address());
    Eventually.isTrue("credit for " + delivery.address(), () -> consumer.take());
    consumer.sink.deliver(delivery);
  }

  /** A consumer, and its credit. */
  static final class Consumer implements Source {
    private final AtomicInteger failingRequests;
    final Route route;
    final ConsumerSettings settings;
    final Sink sink;
    final AtomicInteger credit = new AtomicInteger();
    final AtomicInteger asked = new AtomicInteger();
    volatile boolean cancelled;
    volatile boolean closed;

    Consumer(AtomicInteger failingRequests, Route route, ConsumerSettings settings, Sink sink) {
      this.failingRequests = failingRequests;
      this.route = route;
      this.settings = settings;
      this.sink = sink;
    }

    boolean take() {
      return credit.getAndUpdate(left -> Math.max(0, left - 1)) > 0;
    }

    @Override
    public void request(int deliveries) {
      if (failingRequests.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
        throw new StackOverflowError("thrown on purpose");
      }
      asked.addAndGet(deliveries);
      credit.addAndGet(deliveries);
    }

    @Override
    public CompletionStage<Void> ready() {
      return CompletableFuture.completedFuture(null);
    }

    @Override
    public void cancel() {
      cancelled = true;
    }

    @Override
    public void close() {
      closed = true;
    }
  }

  /** A delivery, and what became of it. */
  static class Delivery implements RawDelivery {
    final CompletableFuture<Outcome> outcome = new CompletableFuture<>();
    final List<Duration> extended = new CopyOnWriteArrayList<>();
    private final String address;
    private final Message<byte[]> message;
    private final int failures;
    private final int losses;

    Delivery(String address, String payload, int failures, int losses) {
      this(address, payload.getBytes(java.nio.charset.StandardCharsets.UTF_8), failures, losses);
    }

    Delivery(String address, byte[] payload, int failures, int losses) {
      this.address = address;
      this.message = Message.of(payload);
      this.failures = failures;
      this.losses = losses;
    }

    /** Waits for the outcome. */
    Outcome outcome() {
      return Eventually.get("an outcome of " + address, outcome);
    }

    @Override
    public Message<byte[]> message() {
      return message;
    }

    @Override
    public String address() {
      return address;
    }

    @Override
    public int failures() {
      return failures;
    }

    @Override
    public int losses() {
      return losses;
    }

    @Override
    public CompletionStage<Settlement> settle(Outcome outcome) {
      return CompletableFuture.completedFuture(
          this.outcome.complete(outcome) ? Settlement.APPLIED : Settlement.LEASE_LOST);
    }

    @Override
    public CompletionStage<Void> extend(Duration time) {
      extended.add(time);
      return CompletableFuture.completedFuture(null);
    }
  }

  /** A request, and its reply. */
  static final class Request extends Delivery implements RawDelivery.Request {
    final CompletableFuture<Reply> reply = new CompletableFuture<>();
    Supplier<Duration> timeLeft = () -> Duration.ofSeconds(20);
    volatile @Nullable Throwable replyFailure; // of the first reply

    Request(String address, String payload) {
      super(address, payload, 0, 0);
    }

    @Override
    public Duration timeLeft() {
      return timeLeft.get();
    }

    @Override
    public CompletionStage<Void> reply(Reply reply) {
      Throwable failure = replyFailure;
      if (failure != null) {
        replyFailure = null;
        return CompletableFuture.failedFuture(failure);
      }
      this.reply.complete(reply);
      return CompletableFuture.completedFuture(null);
    }

    @Override
    public long id() {
      return 7;
    }
  }

  /** One client's link. */
  final class Link implements EngineLink {
    final EngineContext context;
    final List<Long> requests = Collections.synchronizedList(new ArrayList<>());
    volatile boolean closed;

    Link(EngineContext context) {
      this.context = context;
    }

    @Override
    public void prepare(Route route, Declaration declaration) throws MessagingException {
      prepared.add(route.name());
      if (route instanceof Route.Queue queue) {
        Route.Queue earlier = declared.putIfAbsent(queue.id(), queue);
        if (earlier != null && !earlier.equals(queue) && declaration == Declaration.CHECK) {
          throw new ConflictingDeclarationException(
              queue.id() + " is declared as " + earlier + ", not as " + queue);
        }
        declared.put(queue.id(), queue);
      }
    }

    @Override
    public CompletionStage<Void> send(Route route, Message<byte[]> message) {
      MessagingException error = sendError;
      if (error != null) {
        return CompletableFuture.failedFuture(error);
      }
      sent.add(message);
      CompletableFuture<Void> stage = new CompletableFuture<>();
      if (holdSends) {
        held.add(stage);
      } else {
        stage.complete(null);
      }
      return stage;
    }

    @Override
    public boolean trySend(Route.Signal signal, Message<byte[]> message) {
      sent.add(message);
      return true;
    }

    @Override
    public CompletionStage<Void> request(
        Route.Subject subject, long id, Message<byte[]> message, Duration timeout) {
      requests.add(id);
      return CompletableFuture.completedFuture(null);
    }

    @Override
    public void cancelRequest(Route.Subject subject, long id) {
      requests.remove(id);
    }

    @Override
    public Source consume(Route route, ConsumerSettings settings, Sink sink) {
      Consumer consumer = new Consumer(failingRequests, route, settings, sink);
      consumers.put(route.name(), consumer);
      return consumer;
    }

    @Override
    public DeadLetters deadLetters(Route.Queue queue) {
      return new Letters(queue);
    }

    @Override
    public CompletionStage<List<QueueStatus>> queues() {
      listings.incrementAndGet();
      return listing;
    }

    @Override
    public CompletionStage<Void> delete(Route.Queue queue) {
      declared.remove(queue.id());
      return deleting;
    }

    @Override
    public Health health() {
      return new Health(true, "");
    }

    @Override
    public void close(Duration timeout) {
      closed = true;
    }
  }

  /** Three letters: a, b and c. */
  private static final class Letters implements DeadLetters {
    private final List<DeadLetter> all = new ArrayList<>();

    Letters(Route.Queue queue) {
      for (String name : List.of("a", "b", "c")) {
        all.add(new DeadLetter(
            Message.of(new byte[] {1, 2}).withId(name).withHeader("h", name),
            queue.name(),
            DeadLetter.Reason.REJECTED,
            "no",
            2,
            Instant.ofEpochSecond(1_700_000_000, 123_000_000)));
      }
    }

    @Override
    public CompletionStage<Long> count() {
      return CompletableFuture.completedFuture((long) all.size());
    }

    @Override
    public CompletionStage<List<DeadLetter>> peek(int max) {
      return CompletableFuture.completedFuture(all.subList(0, Math.min(max, all.size())));
    }

    @Override
    public CompletionStage<Long> redrive(int max, Predicate<DeadLetter> which) {
      return purge(which);
    }

    @Override
    public CompletionStage<Long> purge(Predicate<DeadLetter> which) {
      return CompletableFuture.supplyAsync(() -> all.stream().filter(which).count());
    }
  }
}
