package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.Guarantees.GiveBack;
import dev.mullion.messaging.SubscriptionPlan.UserCode;

/** The builder of workers. */
final class WorkerSettings<T> implements WorkerBuilder<T> {
  private final Subscriptions subscriptions;
  private final WorkQueue<T> queue;
  private int concurrency = 1;
  private int prefetch = -1; // as many as concurrency

  WorkerSettings(Subscriptions subscriptions, WorkQueue<T> queue) {
    this.subscriptions = subscriptions;
    this.queue = queue;
  }

  @Override
  public WorkerBuilder<T> concurrency(int concurrency) {
    this.concurrency =
        Arguments.within(concurrency, 1, SubscriptionPlan.MAX_CONCURRENCY, "concurrency");
    return this;
  }

  @Override
  public WorkerBuilder<T> prefetch(int prefetch) {
    this.prefetch = Arguments.within(prefetch, 0, SubscriptionPlan.MAX_IN_FLIGHT, "prefetch");
    return this;
  }

  @Override
  public Subscription start(Handler<T> handler) throws MessagingException {
    requireNonNull(handler, "handler");
    return start(false, 0, UserCode.of(handler));
  }

  @Override
  public Subscription startAsync(AsyncHandler<T> handler) throws MessagingException {
    requireNonNull(handler, "handler");
    return start(true, 0, UserCode.ofAsync(handler));
  }

  @Override
  public Subscription startBatch(int max, BatchHandler<T> handler) throws MessagingException {
    requireNonNull(handler, "handler");
    Arguments.within(max, 1, SubscriptionPlan.MAX_IN_FLIGHT, "max");
    return start(false, max, call -> {
      handler.handle((BatchCall<T>) call);
      return null;
    });
  }

  /** Starts; {@code batch} is 0 for a handler of one message. */
  private Subscription start(boolean async, int batch, UserCode<T> code) throws MessagingException {
    int maxBatch = Math.max(1, batch);
    int ahead = prefetch < 0 ? concurrency : prefetch;
    long inFlight = (long) concurrency * maxBatch + ahead;
    if (inFlight > SubscriptionPlan.MAX_IN_FLIGHT) {
      throw new IllegalStateException("concurrency: " + concurrency + " times max: " + maxBatch
          + " plus prefetch: " + ahead + " is " + inFlight + " messages in flight (expected: <= "
          + SubscriptionPlan.MAX_IN_FLIGHT + ", queue " + queue + ")");
    }
    Guarantees row = subscriptions.supported().queue(queue);
    return subscriptions.start(new SubscriptionPlan<>(
        queue.route(),
        queue.codec(),
        new QueueRules<>(queue.route()),
        code,
        async,
        batch > 0,
        concurrency,
        maxBatch,
        ahead,
        0,
        0,
        queue.overflow(),
        queue.handlerTimeout(),
        row.extendable(),
        ahead > 0 && row.giveBack() == GiveBack.UNCOUNTED));
  }
}
