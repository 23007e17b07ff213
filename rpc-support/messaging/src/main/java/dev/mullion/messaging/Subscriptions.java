package dev.mullion.messaging;

import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.engine.EngineLink;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Predicate;

/** The subscriptions of one {@code Messaging}, and what they share. */
final class Subscriptions {
  private static final int ASYNC_THREADS =
      Math.max(4, 2 * Runtime.getRuntime().availableProcessors());

  private final EngineLink link;
  private final Engine engine;
  private final MessagingClock clock;
  private final Executor callbacks;
  private final ListenerCalls listener;
  private final Observers observers;
  private final Declared declared;
  private final Supported supported;
  private final Outgoing outgoing;
  private final Answers answers;
  private final Duration stopTimeout;
  private final HandlerThreads asyncThreads;
  private final HandlerThreads blockingThreads;
  private final Alone alone = new Alone();
  private final LongAdder dropped = new LongAdder();
  private final Set<RunningSubscription<?>> running = new LinkedHashSet<>(); // guarded by itself
  private boolean closed; // guarded by running

  Subscriptions(
      EngineLink link,
      MessagingBuilder settings,
      Executor callbacks,
      ListenerCalls listener,
      Observers observers,
      Outgoing outgoing,
      Declared declared) {
    this.engine = settings.engine;
    this.link = link;
    this.clock = engine.clock();
    this.callbacks = callbacks;
    this.listener = listener;
    this.observers = observers;
    this.declared = declared;
    this.supported = new Supported(engine);
    this.outgoing = outgoing;
    this.answers = new Answers(callbacks);
    this.stopTimeout = settings.stopTimeout;
    // Of their own: blocking handlers that use up all threads may wait for asynchronous ones.
    this.asyncThreads = HandlerThreads.create(ASYNC_THREADS);
    HandlerThreads own = HandlerThreads.create(settings.maxHandlerThreads);
    this.blockingThreads =
        settings.handlerExecutor == null ? own : HandlerThreads.of(settings.handlerExecutor, own);
  }

  <T> WorkerBuilder<T> worker(WorkQueue<T> queue) {
    return new WorkerSettings<>(this, queue);
  }

  <T> SubscriberBuilder<T> subscriber(Topic<T> topic) {
    return SubscriberSettings.of(this, topic);
  }

  <T> SubscriberBuilder<T> receiver(Signal<T> signal) {
    return SubscriberSettings.of(this, signal);
  }

  <Q, R> ReplierBuilder<Q, R> replier(Subject<Q, R> subject) {
    return new ReplierSettings<>(this, subject);
  }

  /** Starts a subscription. */
  <T> Subscription start(SubscriptionPlan<T> plan) throws MessagingException {
    checkOpen();
    declared.prepare(plan.route());
    RunningSubscription<T> started = new RunningSubscription<>(this, plan);
    boolean added;
    synchronized (running) {
      added = !closed && running.add(started);
    }
    if (!added) {
      started.stop(Duration.ZERO);
      throw Intake.closed();
    }
    started.wake();
    return started;
  }

  private void checkOpen() {
    synchronized (running) {
      if (closed) {
        throw Intake.closed();
      }
    }
  }

  /**
   * Stops all: workers and subscribers take no more deliveries and finish, then repliers, since
   * workers may still ask them.
   */
  StopReport stop(Duration timeout) {
    synchronized (running) {
      closed = true;
    }
    TimeLeft left = new TimeLeft(clock, timeout);
    Report report = new Report();
    for (boolean repliers : new boolean[] {false, true}) {
      List<RunningSubscription<?>> now = running(each -> each.isReplier() == repliers);
      now.forEach(RunningSubscription::beginStop);
      for (RunningSubscription<?> each : now) {
        Duration grace = left.withGrace(SubscriptionStop.GRACE); // shared by all
        report.add(each.stop(left.get(), grace));
      }
    }
    asyncThreads.close();
    blockingThreads.close();
    answers.stop(Intake::closed);
    return report.of(left.passed());
  }

  /** Adds up the reports of several stops. */
  private static final class Report {
    private long finished;
    private long givenBack;
    private long interrupted;

    void add(StopReport report) {
      finished += report.finished();
      givenBack += report.givenBack();
      interrupted += report.interrupted();
    }

    StopReport of(Duration took) {
      return new StopReport(took, finished, givenBack, interrupted);
    }
  }

  private List<RunningSubscription<?>> running(Predicate<RunningSubscription<?>> which) {
    synchronized (running) {
      return running.stream().filter(which).toList();
    }
  }

  void forget(RunningSubscription<?> subscription) {
    synchronized (running) {
      running.remove(subscription);
    }
    alone.forget(subscription);
  }

  /** Returns whether the calling thread is inside of a handler of these subscriptions. */
  boolean isInside() {
    HandlerRunner<?> runner = HandlerRunner.current();
    while (runner != null && !(runner.call() != null && runner.isOf(this))) {
      runner = runner.outer();
    }
    return runner != null;
  }

  /** Returns the number of handlers that run, those too that should have ended. */
  long handlersRunning() {
    return running(each -> true).stream()
        .mapToLong(each -> each.inbox().handlersRunning())
        .sum();
  }

  long handlersWaiting() {
    return asyncThreads.waiting() + blockingThreads.waiting();
  }

  long dropped() {
    return dropped.sum();
  }

  void dropped(long messages) {
    dropped.add(messages);
  }

  HandlerThreads threads(boolean async) {
    return async ? asyncThreads : blockingThreads;
  }

  String engineName() {
    return engine.name();
  }

  EngineLink link() {
    return link;
  }

  MessagingClock clock() {
    return clock;
  }

  Executor callbacks() {
    return callbacks;
  }

  ListenerCalls listener() {
    return listener;
  }

  Observers observers() {
    return observers;
  }

  Answers answers() {
    return answers;
  }

  Alone alone() {
    return alone;
  }

  Supported supported() {
    return supported;
  }

  Outgoing outgoing() {
    return outgoing;
  }

  Duration stopTimeout() {
    return stopTimeout;
  }
}
