package dev.mullion.messaging.kafka;

import dev.mullion.messaging.DeadLetters;
import dev.mullion.messaging.Health;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.KafkaException;
import org.jspecify.annotations.Nullable;

/** The engine on Kafka, as one {@code Messaging} sees it. */
final class KafkaLink implements EngineLink {
  private final Settings settings;
  private final Names names;
  private final Errors errors;
  private final Admin admin;
  private final Topology topology;
  private final Sender sender;
  private final Reader declarationReader;
  private final Reader letterReader;
  private final Declarations declarations;
  private final Watch watch;
  private final Tasks tasks;
  private final KnownTopics known = new KnownTopics();
  private final Queues queues;
  private final Movers movers;
  private final Upkeep upkeep;
  private final Addresses addresses;
  private final Requests requests;
  private final SignalSender signals;
  private @Nullable LiveReader live; // guarded by this
  private final Map<String, Counts> counts = new ConcurrentHashMap<>();
  private final Map<String, Letters> letters = new ConcurrentHashMap<>();
  private final Map<Source, Route> sources = new ConcurrentHashMap<>();
  private final AtomicBoolean closing = new AtomicBoolean();
  private volatile boolean closed;

  /** What this link knows of a queue. */
  static final class Counts {
    final AtomicLong inFlight = new AtomicLong();
    final LongAdder expired = new LongAdder();
  }

  private KafkaLink(Settings settings, EngineContext context, Admin admin, Opened opened) {
    this.settings = settings;
    this.admin = admin;
    this.names = new Names(settings.prefix());
    this.errors = new Errors(settings.servers(), "requestTimeout");
    this.tasks = opened.add(new Tasks(errors, context.callbacks()), Tasks::close);
    this.topology = new Topology(admin, settings, errors, known);
    Errors ofSends = new Errors(settings.servers(), "deliveryTimeout");
    this.sender =
        opened.add(new Sender(settings, admin, ofSends, known), each -> each.close(Duration.ZERO));
    this.declarationReader = opened.add(
        new Reader(settings, topology, errors, "declarations"), each -> each.close(Duration.ZERO));
    this.letterReader = opened.add(
        new Reader(settings, topology, errors, "dead-letters"), each -> each.close(Duration.ZERO));
    this.declarations = new Declarations(declarationReader, sender, names.declarations());
    this.watch = opened.add(new Watch(settings, context), Watch::close);
    this.queues = new Queues(this);
    this.movers = new Movers(this);
    this.addresses = new Addresses(names, topology);
    this.upkeep = new Upkeep(this, queues);
    this.requests = new Requests(this, context);
    this.signals = opened.add(new SignalSender(this, context), each -> each.close(Duration.ZERO));
  }

  /** Connects, within the connect timeout. */
  static KafkaLink open(Settings settings, EngineContext context) throws MessagingException {
    Errors errors = new Errors(settings.servers(), "connectTimeout, tls and sasl");
    Admin admin;
    try {
      admin = settings.admin();
    } catch (RuntimeException e) { // no server's name can be resolved, or a property is wrong
      Throwable cause = e.getCause() == null ? e : e.getCause();
      throw errors.notStarted(cause);
    }
    Opened opened = new Opened();
    opened.add(admin, each -> each.close(Duration.ZERO));
    boolean isOpen = false;
    try {
      admin
          .describeCluster(settings.connecting())
          .nodes()
          .get(settings.connectTimeout().toMillis(), TimeUnit.MILLISECONDS);
      KafkaLink link = new KafkaLink(settings, context, admin, opened);
      link.watch.start(link.tasks.timer());
      link.upkeep.start();
      isOpen = true;
      return link;
    } catch (Exception e) { // whatever it is, told apart there
      throw errors.of(e, "the connection", false);
    } finally {
      if (!isOpen) {
        opened.close();
      }
    }
  }

  Settings settings() {
    return settings;
  }

  Names names() {
    return names;
  }

  Errors errors() {
    return errors;
  }

  Admin admin() {
    return admin;
  }

  Topology topology() {
    return topology;
  }

  KnownTopics known() {
    return known;
  }

  Sender sender() {
    return sender;
  }

  Declarations declarations() {
    return declarations;
  }

  Reader letterReader() {
    return letterReader;
  }

  /** See {@link Tasks#tell}. */
  void tell(Runnable answer) {
    tasks.tell(answer);
  }

  Counts counts(Route.Queue queue) {
    return counts.computeIfAbsent(queue.id(), id -> new Counts());
  }

  /** See {@link Tasks#later}. */
  void later(long millis, Runnable task) {
    tasks.later(millis, task);
  }

  /** See {@link Tasks#background}. */
  <T> CompletableFuture<T> background(Callable<T> question) {
    return tasks.background(question);
  }

  /** Notes an error of a client that goes on by itself. */
  void failing(String where, Throwable error) {
    if (!closed) {
      boolean isKnown = error instanceof KafkaException || error instanceof MessagingException;
      Logs.warn(
          "client",
          "Kafka at " + settings.servers() + ", " + where + ": " + error,
          isKnown ? null : error);
    }
  }

  static IllegalStateException ended() {
    return new IllegalStateException("messaging is closed");
  }

  private void checkOpen() {
    if (closed) {
      throw ended();
    }
  }

  @Override
  public void prepare(Route route, Declaration declaration) throws MessagingException {
    checkOpen();
    if (route instanceof Route.Queue queue) {
      queues.prepare(queue, declaration);
    } else {
      addresses.prepare(route);
    }
  }

  @Override
  public CompletionStage<Void> send(Route route, Message<byte[]> message) {
    if (closed) {
      return CompletableFuture.failedStage(ended());
    }
    if (route instanceof Route.Queue queue && queue.source().isEmpty()) {
      return sender.send(Records.of(names.queue(queue), message), queues.push(queue));
    }
    if (route instanceof Route.Topic topic && !topic.isPattern()) {
      return sender.send(
          addresses.published(topic.name(), message),
          addresses.purpose("a message to topic ", topic));
    }
    return CompletableFuture.failedStage(new IllegalArgumentException(
        "route: " + route + " (expected: a queue that is no group, or a topic without wildcards)"));
  }

  @Override
  public boolean trySend(Route.Signal signal, Message<byte[]> message) {
    return !closed && watch.health().up() && signals.offer(signal, message);
  }

  @Override
  public CompletionStage<Void> request(
      Route.Subject subject, long id, Message<byte[]> message, Duration timeout) {
    if (closed) {
      return CompletableFuture.failedStage(ended());
    }
    return requests.send(subject, id, message, timeout);
  }

  @Override
  public void cancelRequest(Route.Subject subject, long id) {
    requests.cancel(id);
  }

  @Override
  public Source consume(Route route, ConsumerSettings consumer, Sink sink)
      throws MessagingException {
    checkOpen();
    Source source = start(route, consumer, sink);
    sources.put(source, route);
    if (closed) {
      source.close();
      throw ended();
    }
    return source;
  }

  private Source start(Route route, ConsumerSettings consumer, Sink sink)
      throws MessagingException {
    if (route instanceof Route.Queue queue) {
      queues.prepare(queue, Declaration.CHECK);
      learn(route);
      return queue.ordered()
          ? new OrderedSource(this, queue, consumer, sink)
          : new QueueSource(this, queue, consumer.maxInFlight(), sink);
    }
    prepare(route, Declaration.CHECK);
    learn(route);
    if (route instanceof Route.Topic topic) {
      TopicSource subscriber = new TopicSource(this, topic, consumer, sink);
      live().add(subscriber);
      return subscriber;
    }
    if (route instanceof Route.Subject) {
      return new SubjectSource(this, route.name(), consumer.maxInFlight(), sink);
    }
    signals.flush(settings.requestTimeout());
    topology.skipToEnd(names.signal(route.name()), "the receiver of signal " + route.name());
    return new SignalSource(this, route.name(), consumer, sink);
  }

  /** Learns the ids of topics: one that is made again later has another. */
  private void learn(Route route) throws MessagingException {
    topology.awaitKnown(names.needed(route), "the topics of " + route.name());
  }

  void closed(Source source) {
    sources.remove(source);
  }

  Addresses addresses() {
    return addresses;
  }

  Upkeep upkeep() {
    return upkeep;
  }

  /** Returns the subscriptions, with what they are to. */
  Map<Source, Route> sources() {
    return sources;
  }

  Movers movers() {
    return movers;
  }

  /** Returns the reader of live subscribers, started with the first of them. */
  synchronized LiveReader live() {
    checkOpen();
    LiveReader now = live;
    if (now == null) {
      now = new LiveReader(this);
      live = now;
    }
    return now;
  }

  synchronized void leave(LiveReader.Listener listener) {
    if (live != null) {
      live.remove(listener);
    }
  }

  synchronized Set<String> liveTopics() {
    return live == null ? Set.of() : live.topics();
  }

  private synchronized void closeLive() {
    LiveReader now = live;
    if (now != null) {
      now.close();
    }
  }

  Letters letters(Route.Queue queue) {
    return letters.compute(
        queue.id(),
        (id, known) -> known != null && known.isOf(queue) ? known : new Letters(this, queue));
  }

  @Override
  public DeadLetters deadLetters(Route.Queue queue) {
    return letters(queue);
  }

  @Override
  public CompletionStage<List<QueueStatus>> queues() {
    return background(queues::all);
  }

  @Override
  public CompletionStage<Void> delete(Route.Queue queue) {
    return background(() -> {
      queues.delete(queue);
      letters.remove(queue.id());
      return null;
    });
  }

  @Override
  public Health health() {
    return closed ? new Health(false, "messaging is closed") : watch.health();
  }

  @Override
  public void close(Duration timeout) {
    closed = true;
    if (!closing.compareAndSet(false, true)) {
      return;
    }
    long end = System.nanoTime() + timeout.toNanos();
    try {
      List<Source> all = List.copyOf(sources.keySet());
      all.forEach(Source::cancel);
      all.forEach(Source::close);
    } finally {
      upkeep.close();
      tasks.close();
      requests.close();
      Duration left = Duration.ofNanos(Math.max(1_000_000, end - System.nanoTime()));
      signals.close(Duration.ofSeconds(1));
      sender.close(left);
      closeLive();
      declarationReader.close(Duration.ofSeconds(1));
      letterReader.close(Duration.ofSeconds(1));
      topology.close();
      watch.close();
      admin.close(Duration.ofSeconds(1));
    }
  }
}
