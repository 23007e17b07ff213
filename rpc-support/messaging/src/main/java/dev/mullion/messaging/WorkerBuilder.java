package dev.mullion.messaging;

import java.util.List;

/**
 * The settings of a worker, which pulls from a queue or group.
 *
 * @param <T> the payload's type
 */
public interface WorkerBuilder<T> {

  /** Sets how many handlers may run at once: 1 by default. */
  WorkerBuilder<T> concurrency(int concurrency);

  /**
   * Sets how many messages are fetched ahead of the handlers: as many as {@code concurrency} by
   * default, 0 for none. Fetched messages belong to this worker until it handles them or stops. But
   * if none of them has begun for a second or two, since all handlers are busy, the worker is
   * paused, or it handles one message alone, they go back for other workers, uncounted. No more is
   * asked for until a handler returns, or until {@link Subscription#resume} for a paused worker;
   * what had been asked for still arrives, and goes back too if it cannot start. Where {@link
   * Guarantees#giveBack} is {@code COUNTED}, they stay: use 0 there if handlers may block for long.
   */
  WorkerBuilder<T> prefetch(int prefetch);

  /** Starts with a blocking handler. */
  Subscription start(Handler<T> handler) throws MessagingException;

  /** Starts with an asynchronous handler; {@code concurrency} stages may be open at once. */
  Subscription startAsync(AsyncHandler<T> handler) throws MessagingException;

  /**
   * Starts with a handler of several messages at once, for databases.
   *
   * @param max the greatest number of messages in a batch; a batch does not wait to be full
   */
  Subscription startBatch(int max, BatchHandler<T> handler) throws MessagingException;

  /**
   * Handles several messages at once.
   *
   * @param <T> the payload's type
   */
  @FunctionalInterface
  interface BatchHandler<T> {
    /**
     * Handles a batch. Returning acknowledges all but those that were failed; throwing fails all
     * that were not failed before.
     */
    void handle(BatchDelivery<T> batch) throws Exception;
  }

  /**
   * A batch being handled.
   *
   * @param <T> the payload's type
   */
  interface BatchDelivery<T> {
    /** Returns the messages, in order. */
    List<Delivery<T>> deliveries();

    /** Fails one of them, as if its own handler had thrown this. */
    void fail(Delivery<T> delivery, Throwable error);
  }
}
