package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.MessagingClock.Timer;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** A subscription: connects the engine's source, the inbox, the runners and the stop. */
final class RunningSubscription<T> implements Subscription {
  private static final Instant FAR = Instant.ofEpochMilli(Long.MAX_VALUE);

  private final Subscriptions all;
  private final SubscriptionPlan<T> plan;
  private final MessagingClock clock;
  private final long origin;
  private final HandlerThreads threads;
  private final Inbox<T> inbox;
  private final Settling<T> settling;
  private final Handling<T> handling;
  private final SubscriptionStop<T> stop;
  private final @Nullable HandlerTimeouts<T> timeouts;
  private final Retries retries;
  private final Source source;
  private volatile @Nullable CompletableFuture<Void> ready;
  private volatile @Nullable MessagingException failure;

  /** Starts to consume; the caller registers it, and then gives the first credit. */
  RunningSubscription(Subscriptions all, SubscriptionPlan<T> plan) throws MessagingException {
    this.all = all;
    this.plan = plan;
    this.clock = all.clock();
    this.origin = clock.nanoTime();
    this.threads = all.threads(plan.async());
    this.retries = new Retries(clock, all.callbacks(), this::wake, address());
    int runners = plan.async()
        ? Math.min(plan.concurrency(), Math.max(2, Runtime.getRuntime().availableProcessors()))
        : plan.concurrency();
    boolean polls = all.link().polls() && plan.takesSeveral();
    this.inbox = new Inbox<>(this, all.alone(), plan, runners, polls);
    this.settling = new Settling<>(this, all.listener(), clock, plan.route().name());
    this.handling = new Handling<>(this, plan, all.observers());
    this.stop = new SubscriptionStop<>(this, clock);
    Duration timeout = plan.handlerTimeout();
    this.timeouts =
        timeout == null ? null : new HandlerTimeouts<>(this, clock, all.callbacks(), timeout);
    SlowConsumer<T> slow = plan.isLive() ? new SlowConsumer<>(this, all.listener(), clock) : null;
    StuckMessages<T> stuck = plan.givesBackStuck() ? new StuckMessages<>(this, clock) : null;
    this.source = requireNonNull(
        all.link()
            .consume(
                plan.route(),
                new ConsumerSettings(
                    plan.maxHandled(),
                    plan.maxInFlight(),
                    polls ? plan.buffer() + plan.prefetch() - 1 : plan.buffer(),
                    plan.bufferBytes(),
                    plan.overflow()),
                new Arrivals<>(this, plan, slow, stuck)),
        "EngineLink.consume returned null");
  }

  Subscriptions subscriptions() {
    return all;
  }

  Inbox<T> inbox() {
    return inbox;
  }

  Settling<T> settling() {
    return settling;
  }

  Handling<T> handling() {
    return handling;
  }

  Source source() {
    return source;
  }

  /** Returns whether all that waits for a live subscriber is in the engine. */
  boolean isBufferedInEngine() {
    return plan.isLive() && plan.prefetch() == 0;
  }

  boolean isReplier() {
    return plan.route() instanceof Route.Subject;
  }

  int maxDeliveries() {
    return plan.rules().maxDeliveries();
  }

  /** Returns the time since the start, in nanoseconds. */
  long now() {
    return clock.nanoTime() - origin;
  }

  /** Returns that time, which may be a millisecond behind while it is asked for very often. */
  long coarseNow() {
    return SystemClock.coarseNanoTime(clock) - origin;
  }

  /** Sets a timer for a time of {@link #now}. */
  Timer timerAt(long time, Runnable task) {
    return clock.scheduleAt(origin + time, task);
  }

  /** Takes notice of messages that the engine dropped. */
  void dropped(long messages) {
    inbox.dropped(messages);
    all.dropped(messages);
    all.listener().dropped(address(), plan.overflow(), messages);
  }

  /** Takes notice that the source has ended. */
  void failed(MessagingException cause) {
    failure = cause;
    LimitedLog.warn("subscription", "the engine ended a subscription of " + address(), cause);
    giveBackWaiting();
  }

  /** Gives the first credit, or what is missing, and starts a runner if there is anything to do. */
  void wake() {
    Effects effects = new Effects();
    inbox.wake(effects);
    perform(effects);
  }

  /** Does what a change of the inbox asks for; called under no lock. */
  void perform(Effects effects) {
    if (effects.start) {
      startRunner();
    }
    if (effects.aloneEnded) {
      all.alone().release(this);
    }
    if (effects.poll > 0) {
      poll(effects.poll);
    }
    if (effects.credit > 0) {
      request(effects.credit);
    }
    if (effects.endedInStop) {
      stop.callEnded();
      ended();
    }
  }

  private void poll(int deliveries) {
    try {
      source.poll(deliveries);
    } catch (Throwable e) { // credit is asked for next
      LimitedLog.warn("poll", "the engine failed in poll (" + address() + ")", e);
    }
  }

  private void request(int credit) {
    try {
      source.request(credit);
    } catch (Throwable e) {
      inbox.creditFailed(credit);
      retry("the engine failed in request (" + address() + ")", e);
    }
  }

  void startRunner() {
    threads.execute(new HandlerRunner<>(this, threads), this::startFailed);
  }

  /** No thread was found: an executor is full or closed, or there is no memory for one. */
  private void startFailed(Throwable error) {
    inbox.startFailed();
    retry("no thread for a handler (" + address() + ")", error);
  }

  private void retry(String text, Throwable error) {
    LimitedLog.warn("retry", text + "; next attempt in " + Retries.DELAY, error);
    if (!stop.isBegun()) {
      retries.next();
    }
  }

  /** Lets a call go on that waited in its slot. */
  void resume(HandlerCall<T> call) {
    Effects effects = new Effects();
    inbox.resume(call, effects);
    perform(effects);
  }

  /** Ends a call on the thread that completed its stage. */
  void release(HandlerCall<T> call) {
    Effects effects = new Effects();
    inbox.release(call, effects);
    perform(effects);
  }

  /** Takes notice of the engine's answer to an outcome. */
  void answered() {
    int left = inbox.unsettled.decrementAndGet();
    if (left >= Inbox.MAX_UNSETTLED) {
      wake();
    } else if (left == 0 && stop.isBegun()) {
      stop.answered();
    }
  }

  /** Sets the deadline of a call that is about to begin, if that need not be exact. */
  void prepareTime(HandlerCall<T> call) {
    if (timeouts != null) {
      timeouts.prepare(call);
    }
  }

  /** Starts the time of a call. */
  void startTime(HandlerCall<T> call) {
    if (timeouts != null) {
      timeouts.start(call);
      return;
    }
    RawDelivery.Request request = plan.rules().request(call.get(0));
    if (request != null) { // for the handler to know; nothing is cut off there
      call.setDeadline(
          HandlerTimeouts.after(now(), TimeUnit.NANOSECONDS.convert(request.timeLeft())));
    }
  }

  Instant instantOf(long deadline) {
    if (deadline == HandlerCall.NEVER) {
      return FAR;
    }
    return Instant.ofEpochMilli(clock.currentTimeMillis()).plusNanos(deadline - now());
  }

  CompletionStage<Void> extend(HandlerCall<T> call, Fetched<T> delivery, Duration time) {
    if (timeouts == null || !plan.extendable()) {
      return CompletableFuture.failedFuture(new UnsupportedSettingException("extend: "
          + all.engineName() + " cannot extend the time of a handler of " + plan.route()
          + " (see Guarantees.extendable)"));
    }
    if (!inbox.extend(call, delivery, now(), TimeUnit.NANOSECONDS.convert(time))) {
      return CompletableFuture.failedFuture(new IllegalStateException(
          "extend: the time for " + delivery + " is over, or its handler has returned"));
    }
    timeouts.watch(call.deadlineNanos());
    CompletableFuture<?>[] leases = new CompletableFuture<?>[call.size()];
    for (int i = 0; i < leases.length; i++) {
      RawDelivery raw = call.get(i).raw;
      leases[i] = all.answers().ask(() -> raw.extend(time));
    }
    return CompletableFuture.allOf(leases);
  }

  /** Settles a delivery that was cut off. */
  void cut(Fetched<T> delivery, Ending ending, Throwable error) {
    try {
      settling.apply(delivery, plan.rules().cut(delivery, ending, error));
    } finally {
      answered();
    }
  }

  void giveBack(Fetched<T> delivery) {
    try {
      settling.apply(delivery, Verdict.UNSTARTED);
    } finally {
      answered();
    }
  }

  void giveBackWaiting() {
    Effects effects = new Effects();
    List<Fetched<T>> waiting = inbox.stop(effects);
    perform(effects);
    waiting.forEach(this::giveBack);
  }

  void interruptAll(boolean besidesAllStops) {
    Effects effects = new Effects();
    List<Fetched<T>> cut = inbox.interruptAll(besidesAllStops, effects);
    perform(effects);
    cut.forEach(each -> cut(
        each,
        Ending.FAILED,
        new TimeoutException(
            "handler was interrupted, since it had not returned when its subscription stopped ("
                + each.address() + ", message " + each.raw.message().id() + ")")));
  }

  /** Forgets this subscription once it has stopped and its last handler has returned. */
  void ended() {
    if (stop.isBegun() && inbox.isEmpty()) {
      if (timeouts != null) {
        timeouts.close();
      }
      all.forget(this);
    }
  }

  /** Looks again whether a stop still waits: a handler has begun or ceased to wait for one. */
  void stopsChanged() {
    if (stop.isBegun()) {
      stop.callEnded();
    }
  }

  /** Stops; {@code grace} is what outcomes have at least to be answered. */
  StopReport stop(Duration timeout, Duration grace) {
    return stop.stop(timeout, grace);
  }

  void beginStop() {
    stop.begin();
  }

  @Override
  public String address() {
    return plan.route().name();
  }

  @Override
  public CompletionStage<Void> ready() {
    MessagingException failed = failure;
    if (failed != null) {
      return CompletableFuture.failedFuture(failed);
    }
    CompletableFuture<Void> asked = ready;
    if (asked == null) {
      asked = all.answers().ask(source::ready);
      ready = asked;
    }
    return asked.copy();
  }

  @Override
  public void pause() {
    Effects effects = new Effects();
    inbox.pause(effects);
    perform(effects);
  }

  @Override
  public void resume() {
    Effects effects = new Effects();
    inbox.unpause(effects);
    perform(effects);
  }

  @Override
  public boolean isPaused() {
    return inbox.isPaused();
  }

  @Override
  public SubscriptionCounters counters() {
    return inbox.counters();
  }

  @Override
  public StopReport stop(Duration timeout) {
    return stop(Arguments.notNegative(timeout, "timeout"), SubscriptionStop.GRACE);
  }

  @Override
  public void close() {
    stop(all.stopTimeout(), SubscriptionStop.GRACE);
  }
}
