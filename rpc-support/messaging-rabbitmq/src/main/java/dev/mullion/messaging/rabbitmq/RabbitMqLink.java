package dev.mullion.messaging.rabbitmq;

import static java.util.Objects.requireNonNull;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import dev.mullion.messaging.DeadLetters;
import dev.mullion.messaging.Health;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** A running engine, as one {@code Messaging} sees it. */
final class RabbitMqLink implements EngineLink {
  private static final long TICK_MILLIS = 50;
  private static final long ABORT_MILLIS = 2_000;

  private final RabbitMqEngine engine;
  private final EngineContext context;
  private final Publisher publisher;
  private final Overflowing pushes;
  private final SignalSender signals;
  private final LinkConnection connection;
  private final Declarations declarations;
  private final QueueTopology topology;
  private final Copies copies = new Copies(this);
  private final Delays delays = new Delays(this);
  private final QueueAdmin admin = new QueueAdmin(this);
  private final Sources sources = new Sources(this);
  private final List<Renewal> renewals;
  private final ExecutorService questions = Threads.forQuestions();
  private final ExecutorService subscriptions = Threads.forSubscriptions();
  private final ScheduledThreadPoolExecutor timer = Threads.timer();
  private volatile boolean closed;

  RabbitMqLink(RabbitMqEngine engine, EngineContext context) throws MessagingException {
    this.engine = engine;
    this.context = context;
    this.topology = new QueueTopology(engine.entities());
    this.declarations = new Declarations(engine.entities(), engine.errors(), this::tryStream);
    WriteGate gate = new WriteGate();
    this.publisher =
        new Publisher(engine.errors(), gate, context.sendTimeout(), engine.confirmTimeout());
    this.renewals = List.of(
        new Renewal(this, publisher, Lane.Kind.PUBLISHING),
        new Renewal(this, publisher, Lane.Kind.DELAYS));
    this.pushes = new Overflowing(
        publisher, engine.entities(), Publisher.nanos(context.sendTimeout()), settling());
    this.connection = new LinkConnection(engine, context, gate, this);
    this.signals = new SignalSender(engine, context.events(), gate, connection::current);
  }

  void open() throws MessagingException {
    boolean opened = false;
    try {
      publisher.start();
      signals.start();
      connection.open();
      timer.scheduleWithFixedDelay(this::tick, TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
      opened = true;
    } finally {
      if (!opened) {
        close(Duration.ZERO);
      }
    }
  }

  private void tick() {
    try {
      publisher.expireUnconfirmed();
      renewals.forEach(each -> each.look(connection.current()));
      sources.look();
    } catch (RuntimeException | Error e) { // it must go on
      Logs.warn("tick", "looking after sends and subscriptions failed", e);
    }
  }

  Entities entities() {
    return engine.entities();
  }

  boolean creates() {
    return engine.creates();
  }

  boolean hasSeveralNodes() {
    return engine.addresses().size() > 1;
  }

  QueueTopology topology() {
    return topology;
  }

  Publisher publisher() {
    return publisher;
  }

  Declarations declarations() {
    return declarations;
  }

  QueueAdmin admin() {
    return admin;
  }

  long timeoutMillis() {
    return Wire.millis(engine.answerTimeout());
  }

  Sources sources() {
    return sources;
  }

  /** Returns how many jobs for a queue were dropped by this link, since the queue was full. */
  long dropped(Route.Queue queue) {
    return pushes.dropped(queue);
  }

  Copies copies() {
    return copies;
  }

  Delays delays() {
    return delays;
  }

  EngineContext context() {
    return context;
  }

  RabbitMqEngine engine() {
    return engine;
  }

  LinkConnection connection() {
    return connection;
  }

  /** Returns where acknowledgements follow what was confirmed. */
  Executor settling() {
    return task -> {
      try {
        timer.execute(task);
      } catch (RejectedExecutionException e) {
        task.run();
      }
    };
  }

  Future<?> after(Runnable task, long delay, TimeUnit unit) {
    try {
      return timer.schedule(task, delay, unit);
    } catch (RejectedExecutionException e) {
      task.run();
      return CompletableFuture.completedFuture(null);
    }
  }

  /** Closes a channel, and waits for that for a moment: what it holds goes back to its queues. */
  void abort(Channel channel) {
    CompletableFuture<Void> closed = new CompletableFuture<>();
    askOrRun(() -> {
      Session.abort(channel);
      closed.complete(null);
    });
    closed.completeOnTimeout(null, ABORT_MILLIS, TimeUnit.MILLISECONDS).join();
  }

  /** Runs something that blocks; false if the link is closed. */
  boolean ask(Runnable task) {
    return Threads.run(task, subscriptions);
  }

  /** The same; on this thread if the link is closed. */
  void askOrRun(Runnable task) {
    if (!ask(task)) {
      task.run();
    }
  }

  /** Runs a user's question that blocks; false if there are too many, or the link is closed. */
  boolean askForUser(Runnable question) {
    return Threads.run(question, questions);
  }

  private void tryStream(String name) throws IOException, TimeoutException {
    DeclarationStream.tryOn(connection.another("trying"), name);
  }

  /** Brings all back on a new session, before that is used. */
  void restore(Session session) {
    publisher.connected(session);
    CompletableFuture<@Nullable Void> read = declarations.beginReading();
    boolean asked =
        ask(() -> declarations.follow(session, publisher, creates(), timeoutMillis(), read));
    if (!asked) {
      read.completeExceptionally(new IllegalStateException("messaging is closed"));
    }
    sources.restore(session);
  }

  void lost(Session session, Throwable cause) {
    publisher.lost(session, cause);
    sources.lost(session);
  }

  /** Opens a lane again that the broker has closed. */
  void closed(Session session, Lane.Kind kind, Lane lane, Throwable cause) {
    if (BrokerErrors.isNotFound(cause)) { // without the exchange, subscriptions have no bindings
      session.fail(cause);
      return;
    }
    Logs.warn("lane", "the broker closed a channel that publishes; it is opened again", cause);
    ask(() -> {
      publisher.lost(lane, cause);
      try {
        session.reopen(kind, lane);
      } catch (IOException | RuntimeException e) {
        session.fail(e);
      }
    });
  }

  void replied(BasicProperties properties, byte[] body) {
    Reply reply = Requests.arrived(properties, body);
    if (reply != null) {
      context.events().replied(reply);
    }
  }

  void signalReturned(String routingKey) {
    signals.returned(routingKey);
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException("messaging is closed");
    }
  }

  @Override
  public void prepare(Route route, Declaration declaration) throws MessagingException {
    checkOpen();
    if (!(route instanceof Route.Queue queue)) {
      return;
    }
    topology.check(queue, engine.consumerTimeout());
    connection.await();
    long timeout = timeoutMillis();
    if (!creates()) {
      declarations.check(queue, timeout);
    } else if (declaration == Declaration.CHECK) {
      declarations.declare(queue, publisher, timeout);
    }
    String what = "declaring queue " + queue.id();
    connection.useChannel(what, channel -> topology.declare(channel, queue, creates()));
    if (creates() && declaration == Declaration.REPLACE) { // not before the broker has agreed
      declarations.replace(queue, publisher, timeout);
      connection.useChannel(
          what, channel -> topology.unbind(channel, queue, declarations.history(queue.id())));
    }
  }

  @Override
  public CompletionStage<Void> send(Route route, Message<byte[]> message) {
    checkOpen();
    if (connection.isAwayForLong()) {
      return CompletableFuture.failedStage(connection.away());
    }
    if (route instanceof Route.Queue queue && queue.source().isEmpty()) {
      return pushes.push(queue, message);
    }
    if (route instanceof Route.Topic topic && !topic.isPattern()) {
      return publisher.publish(Publication.toTopic(
          entities().topics(), topic.name(), Wire.first(message).persistent()));
    }
    return CompletableFuture.failedStage(new IllegalArgumentException(
        "route: " + route + " (expected: a queue that is no group, or a topic without wildcards)"));
  }

  @Override
  public boolean trySend(Route.Signal signal, Message<byte[]> message) {
    return signals.offer(signal, message);
  }

  @Override
  public CompletionStage<Void> request(
      Route.Subject subject, long id, Message<byte[]> message, Duration timeout) {
    checkOpen();
    if (connection.isAwayForLong()) {
      return CompletableFuture.failedStage(connection.away());
    }
    return publisher.publish(Publication.toSubject(
        entities().subject(subject.name()), Requests.request(id, message, timeout)));
  }

  /** The broker cannot withdraw it; it expires there, or its reply comes late. */
  @Override
  public void cancelRequest(Route.Subject subject, long id) {}

  @Override
  public Source consume(Route route, ConsumerSettings settings, Sink sink)
      throws MessagingException {
    checkOpen();
    requireNonNull(sink, "sink");
    Restored source = source(route, settings, sink);
    sources.start(source, route.name());
    if (closed) {
      source.close();
    }
    return source;
  }

  private Restored source(Route route, ConsumerSettings settings, Sink sink)
      throws MessagingException {
    if (route instanceof Route.Queue queue) {
      prepare(queue, Declaration.CHECK);
      return queue.ordered()
          ? new OrderedSource(this, queue, sink)
          : new WorkerSource(this, queue, settings, sink);
    }
    if (route instanceof Route.Subject subject) {
      return new ReplierSource(this, subject, settings, sink);
    }
    if (settings.overflow() == Overflow.BLOCK || settings.overflow() == Overflow.FAIL) {
      throw new UnsupportedSettingException("overflow: " + settings.overflow()
          + " (expected: DROP_OLDEST or DROP_NEWEST for " + route.name()
          + ", since RabbitMQ does not tell senders of a full subscriber)");
    }
    return new LiveSource(this, route, settings, sink);
  }

  @Override
  public DeadLetters deadLetters(Route.Queue queue) {
    return new DeadLetterQueue(this, queue);
  }

  @Override
  public CompletionStage<List<QueueStatus>> queues() {
    return admin.all();
  }

  @Override
  public CompletionStage<Void> delete(Route.Queue queue) {
    return admin.delete(queue);
  }

  @Override
  public Health health() {
    return connection.health();
  }

  @Override
  public void close(Duration timeout) {
    closed = true;
    long end = System.nanoTime() + Publisher.nanos(timeout);
    sources.close();
    while (!publisher.isQuiet() && System.nanoTime() - end < 0) {
      try {
        TimeUnit.MILLISECONDS.sleep(2);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        break;
      }
    }
    signals.close();
    publisher.close();
    connection.close();
    declarations.close();
    questions.shutdown();
    subscriptions.shutdown();
    timer.shutdown();
  }
}
