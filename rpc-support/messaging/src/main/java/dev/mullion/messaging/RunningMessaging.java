package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** A {@code Messaging} on an open link: checks what is asked, and passes it to its parts. */
final class RunningMessaging implements Messaging {
  private final Engine engine;
  private final EngineLink link;
  private final MessagingClock clock;
  private final Duration sendTimeout;
  private final Duration stopTimeout;
  private final Intake intake;
  private final SendCounts counts;
  private final ListenerCalls listener;
  private final Observers observers;
  private final PendingLimits limits;
  private final Answers answers;
  private final Requests requests;
  private final Declared declared;
  private final Outgoing outgoing;
  private final Sends sends;
  private final Subscriptions subscriptions;
  private final StopSequence stop;
  private volatile @Nullable PublishedTopic published; // the last one

  private RunningMessaging(Parts parts, EngineLink link) {
    MessagingBuilder settings = parts.settings;
    this.engine = settings.engine;
    this.link = link;
    this.clock = parts.clock;
    this.sendTimeout = settings.sendTimeout;
    this.stopTimeout = settings.stopTimeout;
    this.counts = parts.counts;
    this.listener = parts.listener;
    this.observers = new Observers(settings.observers);
    this.limits = parts.limits;
    this.answers = new Answers(parts.callbacks);
    this.requests = parts.requests;
    this.declared = new Declared(link);
    this.outgoing = new Outgoing(observers, settings.maxMessageSize);
    this.sends = new Sends(link, declared, limits, sendTimeout, answers, counts, listener);
    this.subscriptions =
        new Subscriptions(link, settings, parts.callbacks, listener, observers, outgoing, declared);
    this.intake = new Intake(parts.callbacks, subscriptions::isInside);
    this.stop = new StopSequence(
        clock, intake, limits, subscriptions, answers, requests, link, listener, parts.callbacks);
  }

  /** Opens the engine; what was started before a failure is ended. */
  static RunningMessaging start(MessagingBuilder settings) throws MessagingException {
    Parts parts = new Parts(settings);
    EngineLink link = null;
    RunningMessaging started = null;
    try {
      link = requireNonNull(
          settings.engine.open(new EngineContext(
              parts.reports, parts.callbacks, settings.maxPending, settings.sendTimeout, true)),
          "Engine.open returned null");
      started = new RunningMessaging(parts, link);
      parts.reports.whenRestored(started.declared::forgetAll);
      return started;
    } finally {
      if (started == null) {
        parts.close(link);
      }
    }
  }

  /** What has to be there before the engine is opened, since its events may come at once. */
  private static final class Parts {
    final MessagingBuilder settings;
    final MessagingClock clock;
    final SendCounts counts = new SendCounts();
    final Callbacks callbacks = new Callbacks();
    final ListenerCalls listener;
    final PendingLimits limits;
    final Requests requests;
    final EngineReports reports;

    Parts(MessagingBuilder settings) {
      this.settings = settings;
      this.clock = settings.engine.clock();
      this.listener = new ListenerCalls(settings.listener, clock);
      this.limits = new PendingLimits(settings.maxPending, settings.maxPendingBytes, clock);
      this.requests = new Requests(clock, limits, counts);
      this.reports = new EngineReports(requests, listener, counts);
    }

    void close(@Nullable EngineLink link) {
      try {
        if (link != null) {
          link.close();
        }
      } catch (Throwable e) {
        LimitedLog.warn("start", "the engine's link failed to close", e);
      } finally {
        listener.close(Duration.ZERO);
        callbacks.close();
      }
    }
  }

  @Override
  public <T> CompletableFuture<Void> publishMessage(Topic<T> topic, Message<? extends T> message) {
    return send("topic", route(topic), topic.codec(), message);
  }

  @Override
  public <T> CompletableFuture<Void> publish(Topic<T> topic, T payload) {
    return outgoing.isDirect(payload)
        ? sendDirect("topic", route(topic), topic.codec(), payload)
        : publishMessage(topic, Message.of(payload));
  }

  @SuppressWarnings("ReferenceEquality") // one that is equal is made anew
  private Route.Topic route(Topic<?> topic) {
    PublishedTopic last = published;
    if (last != null && last.topic == topic) {
      return last.route;
    }
    Route.Topic route = requireNonNull(topic, "topic").route();
    if (route.isPattern()) {
      throw new IllegalArgumentException("topic: \"" + topic.name()
          + "\" (expected: no pattern, which can only be subscribed to)");
    }
    published = new PublishedTopic(topic, route);
    return route;
  }

  /** A topic that was published to, whose route need not be made and checked again. */
  private record PublishedTopic(Topic<?> topic, Route.Topic route) {}

  @Override
  public <T> CompletableFuture<Void> pushMessage(WorkQueue<T> queue, Message<? extends T> message) {
    return send("queue", route(queue), queue.codec(), message);
  }

  @Override
  public <T> CompletableFuture<Void> push(WorkQueue<T> queue, T payload) {
    return outgoing.isDirect(payload)
        ? sendDirect("queue", route(queue), queue.codec(), payload)
        : pushMessage(queue, Message.of(payload));
  }

  private static Route.Queue route(WorkQueue<?> queue) {
    requireNonNull(queue, "queue").source().ifPresent(source -> {
      throw new IllegalArgumentException("queue: " + queue.name() + " is a group of topic "
          + source.name() + " (expected: a queue; publish to the topic instead)");
    });
    return queue.route();
  }

  private <T> CompletableFuture<Void> sendDirect(
      String kind, Route route, MessageCodec<T> codec, T payload) {
    Caller from = intake.check();
    Message<byte[]> encoded;
    try {
      encoded = outgoing.encodeDirect(kind, route.name(), codec, payload);
    } catch (Throwable e) {
      return sends.failed(e);
    }
    return sends.send(route, encoded, from, intake.continuations(from));
  }

  private <T> CompletableFuture<Void> send(
      String kind, Route route, MessageCodec<T> codec, Message<? extends T> message) {
    Outgoing.check(requireNonNull(message, "message"));
    Caller from = intake.check();
    Message<byte[]> encoded;
    try {
      encoded = outgoing.encode(kind, route.name(), codec, message);
    } catch (Throwable e) {
      return sends.failed(e);
    }
    return sends.send(route, encoded, from, intake.continuations(from));
  }

  @Override
  public <Q, R> CompletableFuture<Message<R>> requestMessage(
      Subject<Q, R> subject, Message<? extends Q> message, Duration timeout) {
    requireNonNull(subject, "subject");
    Outgoing.check(requireNonNull(message, "message"));
    Arguments.positive(timeout, "timeout");
    Caller from = intake.check();
    long start = clock.nanoTime();
    counts.sent.increment();
    counts.requests.increment();
    Message<byte[]> encoded;
    try {
      encoded = outgoing.encode("subject", subject.name(), subject.requestCodec(), message);
      boolean soon = timeout.compareTo(sendTimeout) < 0;
      limits.take(
          encoded.payload().length,
          soon ? timeout : sendTimeout,
          soon ? "timeout" : "sendTimeout",
          from);
    } catch (Throwable e) {
      return sends.refused(e);
    }
    return requests.send(
        link, declared, subject, encoded, timeout, start, intake.continuations(from));
  }

  @Override
  public <T> boolean sendMessage(Signal<T> signal, Message<? extends T> message) {
    requireNonNull(signal, "signal");
    Outgoing.check(requireNonNull(message, "message"));
    intake.check();
    counts.sent.increment();
    Message<byte[]> encoded = null;
    try {
      encoded = outgoing.encode("signal", signal.name(), signal.codec(), message);
    } catch (MessageTooLargeException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    } finally {
      if (encoded == null) {
        counts.failed.increment();
      }
    }
    return sends.trySend(new Route.Signal(signal.name()), encoded);
  }

  @Override
  public <T> SubscriberBuilder<T> subscriber(Topic<T> topic) {
    intake.checkOpen();
    return subscriptions.subscriber(requireNonNull(topic, "topic"));
  }

  @Override
  public <T> WorkerBuilder<T> worker(WorkQueue<T> queue) {
    intake.checkOpen();
    return subscriptions.worker(requireNonNull(queue, "queue"));
  }

  @Override
  public <Q, R> ReplierBuilder<Q, R> replier(Subject<Q, R> subject) {
    intake.checkOpen();
    return subscriptions.replier(requireNonNull(subject, "subject"));
  }

  @Override
  public <T> SubscriberBuilder<T> receiver(Signal<T> signal) {
    intake.checkOpen();
    return subscriptions.receiver(requireNonNull(signal, "signal"));
  }

  @Override
  public void declare(WorkQueue<?> queue) throws MessagingException {
    requireNonNull(queue, "queue");
    intake.checkOpen();
    subscriptions.supported().queue(queue);
    declared.check(queue.route());
  }

  @Override
  public void redeclare(WorkQueue<?> queue) throws MessagingException {
    requireNonNull(queue, "queue");
    intake.checkOpen();
    subscriptions.supported().queue(queue);
    declared.replace(queue.route());
  }

  @Override
  public CompletionStage<Void> delete(WorkQueue<?> queue) {
    requireNonNull(queue, "queue");
    intake.checkOpen();
    return answers.ask(() -> link.delete(queue.route()), error -> declared.forget(queue.route()));
  }

  @Override
  public DeadLetters deadLetters(WorkQueue<?> queue) {
    requireNonNull(queue, "queue");
    intake.check();
    return new AnsweredDeadLetters(link.deadLetters(queue.route()), answers, intake);
  }

  @Override
  public CompletionStage<List<QueueStatus>> queues() {
    return answers.ask(link::queues, error -> {}, intake.continuations(intake.check()));
  }

  @Override
  public Guarantees guarantees(Pattern pattern) {
    return engine.guarantees(requireNonNull(pattern, "pattern"));
  }

  @Override
  public MessagingCounters counters() {
    return new MessagingCounters(
        counts.sent.sum() + counts.sentNow.sum(),
        counts.accepted.sum() + counts.sentNow.sum(),
        counts.failed.sum(),
        counts.dropped.sum() + subscriptions.dropped(),
        limits.pending(),
        limits.pendingBytes(),
        counts.requests.sum(),
        counts.timedOut.sum(),
        counts.lateReplies.sum(),
        subscriptions.handlersRunning(),
        subscriptions.handlersWaiting(),
        listener.failures() + observers.failures(),
        listener.omitted(),
        counts.reconnects.sum());
  }

  @Override
  public Health health() {
    if (stop.isBegun()) {
      return new Health(false, "messaging is closed");
    }
    try {
      return link.health();
    } catch (Throwable e) {
      return new Health(false, engine.name() + ": " + e);
    }
  }

  String engineName() {
    return engine.name();
  }

  @Override
  public StopReport stop(Duration timeout) {
    return stop.stop(Arguments.notNegative(timeout, "timeout"));
  }

  @Override
  public void close() {
    stop.stop(stopTimeout);
  }
}
