package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** The embedded engine, as one {@code Messaging} sees it. */
final class EmbeddedLink implements EngineLink {
  private static final long DECLARE_SECONDS = 30;

  private final EmbeddedBroker broker;
  private final EngineContext context;
  private final boolean ownsBroker;
  private final Set<EmbeddedSource> sources = ConcurrentHashMap.newKeySet();
  private final AtomicBoolean closing = new AtomicBoolean();
  private volatile boolean closed;
  private volatile @Nullable Found found; // the queue that was pushed to last

  EmbeddedLink(EmbeddedBroker broker, EngineContext context, boolean ownsBroker) {
    this.broker = broker;
    this.context = context;
    this.ownsBroker = ownsBroker;
  }

  MessagingClock clock() {
    return broker.clock();
  }

  Duration sendTimeout() {
    return context.sendTimeout();
  }

  /** Waits for a moment if that is full and the calling thread may wait; under no lock. */
  void awaitRoom(FullMark full) {
    if (context.sendersWait()) {
      full.awaitRoom();
    }
  }

  Executor background() {
    return broker.background();
  }

  @Nullable
  JobQueue find(String queue) {
    return broker.queues().find(queue);
  }

  @Override
  public void prepare(Route route, Declaration declaration) throws MessagingException {
    checkOpen();
    if (route instanceof Route.Queue queue) {
      await(broker.queues().declare(queue, declaration), queue);
    }
  }

  private static void await(CompletionStage<Void> onDisk, Route.Queue queue)
      throws MessagingException {
    try {
      onDisk.toCompletableFuture().get(DECLARE_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof MessagingException cause
          ? cause
          : new StoreException("queue " + queue.id() + " cannot be declared", e.getCause());
    } catch (TimeoutException e) {
      throw new StoreException(
          "queue " + queue.id() + " is not on disk after " + DECLARE_SECONDS + " s", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StoreException("interrupted while queue " + queue.id() + " was declared", e);
    }
  }

  @Override
  public CompletionStage<Void> send(Route route, Message<byte[]> message) {
    Exception ended = ended();
    if (ended != null) {
      return CompletableFuture.failedStage(ended);
    }
    if (route instanceof Route.Queue queue && queue.source().isEmpty()) {
      return push(queue, message);
    }
    if (route instanceof Route.Topic topic && !topic.isPattern()) {
      return broker.hub().publish(topic.name(), message, this);
    }
    return CompletableFuture.failedStage(new IllegalArgumentException(
        "route: " + route + " (expected: a queue that is no group, or a topic without wildcards)"));
  }

  @Override
  public @Nullable CompletionStage<Void> sendNow(Route route, Message<byte[]> message) {
    if (ended() != null) {
      return null;
    }
    if (route instanceof Route.Topic topic) {
      return broker.hub().publishNow(topic.name(), message, this);
    }
    Found known = found;
    return route instanceof Route.Queue queue
            && known != null
            && known.is(queue)
            && known.queue.pushNow(message, this)
        ? Parcel.DONE
        : null;
  }

  /** Returns why nothing is accepted any more; null while it is open. */
  private @Nullable Exception ended() {
    MessagingException ended = broker.ended();
    return ended == null && closed ? Intake.closed() : ended;
  }

  private CompletionStage<Void> push(Route.Queue queue, Message<byte[]> message) {
    try {
      Found known = found;
      CompletionStage<Void> pushed =
          known != null && known.is(queue) ? known.queue.push(message, this) : null;
      while (pushed == null) { // unknown, or deleted in between
        known = new Found(queue, broker.queues().forPush(queue));
        found = known;
        pushed = known.queue.push(message, this);
      }
      return pushed;
    } catch (BrokerAwayException e) {
      return CompletableFuture.failedStage(e);
    }
  }

  /** A queue by the object that names it, since the name of a group would have to be made. */
  private record Found(Route.Queue route, JobQueue queue) {
    @SuppressWarnings("ReferenceEquality") // one that is equal is looked up
    boolean is(Route.Queue other) {
      return route == other;
    }
  }

  @Override
  public boolean trySend(Route.Signal signal, Message<byte[]> message) {
    SignalQueue queue = broker.signals().get(signal.name());
    return queue != null && !closed && queue.send(message, signal.name(), clock());
  }

  @Override
  public CompletionStage<Void> request(
      Route.Subject subject, long id, Message<byte[]> message, Duration timeout) {
    Exception ended = ended();
    if (ended != null) {
      return CompletableFuture.failedStage(ended);
    }
    SubjectQueue queue = broker.subjects().get(subject.name());
    return queue == null
        ? CompletableFuture.failedStage(SubjectQueue.nobody(subject.name()))
        : queue.request(this, id, message, timeout);
  }

  @Override
  public void cancelRequest(Route.Subject subject, long id) {
    SubjectQueue queue = broker.subjects().get(subject.name());
    if (queue != null) {
      queue.cancel(this, id);
    }
  }

  /** Passes a reply on, unless the caller is gone; under no lock. */
  void replied(Reply reply) {
    if (closed) {
      return;
    }
    try {
      context.events().replied(reply);
    } catch (Throwable e) { // the replier must not suffer from its caller
      LimitedLog.warn("replied", "a caller did not take a reply", e);
    }
  }

  @Override
  public Source consume(Route route, ConsumerSettings settings, Sink sink)
      throws MessagingException {
    checkOpen();
    EmbeddedSource source = start(route, settings, requireNonNull(sink, "sink"));
    sources.add(source);
    if (closed) {
      source.close();
      throw Intake.closed();
    }
    return source;
  }

  private EmbeddedSource start(Route route, ConsumerSettings settings, Sink sink)
      throws MessagingException {
    if (route instanceof Route.Queue queue) {
      while (true) {
        prepare(queue, Declaration.CHECK);
        JobQueue declared = find(queue.id());
        if (declared != null) {
          WorkerSource worker = new WorkerSource(this, sink, declared);
          if (declared.add(worker)) {
            return worker;
          }
        }
      }
    }
    if (route instanceof Route.Topic topic) {
      return broker.hub().subscribe(this, sink, topic.name(), settings);
    }
    if (route instanceof Route.Subject subject) {
      return broker.reply(this, sink, subject.name());
    }
    if (settings.overflow() == Overflow.BLOCK) {
      throw new UnsupportedSettingException("overflow: BLOCK (expected: FAIL, DROP_OLDEST or"
          + " DROP_NEWEST, since senders of signal " + route.name() + " never wait)");
    }
    return broker.receive(this, sink, route.name(), settings);
  }

  @Override
  public boolean polls() {
    return true;
  }

  void closed(EmbeddedSource source) {
    sources.remove(source);
    broker.closed(source);
  }

  Set<EmbeddedSource> sources() {
    return sources;
  }

  @Override
  public DeadLetters deadLetters(Route.Queue queue) {
    return new QueueDeadLetters(this, queue.id(), context.callbacks());
  }

  @Override
  public CompletionStage<List<QueueStatus>> queues() {
    return CompletableFuture.completedStage(
        broker.queues().all().stream().map(JobQueue::status).toList());
  }

  @Override
  public CompletionStage<Void> delete(Route.Queue queue) {
    return broker.queues().delete(queue.id());
  }

  @Override
  public Health health() {
    MessagingException ended = closed ? null : broker.ended();
    MessagingException failure = ended != null ? ended : broker.storeFailure();
    return failure != null
        ? new Health(
            false, failure.getMessage() == null ? failure.toString() : failure.getMessage())
        : new Health(!closed, closed ? "messaging is closed" : "");
  }

  private void checkOpen() throws MessagingException {
    MessagingException ended = broker.ended();
    if (closed) {
      throw Intake.closed();
    }
    if (ended != null) {
      throw ended;
    }
  }

  @Override
  public void close(Duration timeout) {
    closed = true;
    if (!closing.compareAndSet(false, true)) {
      return;
    }
    try {
      sources.forEach(EmbeddedSource::close);
      broker.withdraw(this, Intake.closed());
      broker.awaitCommits(timeout);
    } finally {
      broker.closed(this);
      if (ownsBroker) {
        broker.close();
      }
    }
  }
}
