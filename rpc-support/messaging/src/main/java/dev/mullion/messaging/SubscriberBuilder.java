package dev.mullion.messaging;

/**
 * The settings of a live subscriber of a topic, or of a receiver of a signal. Who must not miss any
 * message uses a group.
 *
 * @param <T> the payload's type
 */
public interface SubscriberBuilder<T> {

  /** Sets how many handlers may run at once: 1 by default, which keeps the order. */
  SubscriberBuilder<T> concurrency(int concurrency);

  /** Sets how many messages wait here for a handler: 8,192 by default. */
  SubscriberBuilder<T> buffer(int messages);

  /**
   * Sets how many bytes of payload these have together at most: 64 MiB by default. A message that
   * is larger waits alone. What is passed on to the handlers does not count: up to 128 messages,
   * and as many as {@code concurrency}.
   */
  SubscriberBuilder<T> bufferBytes(long bytes);

  /**
   * Sets what happens when the buffer is full: {@code DROP_OLDEST} by default. An engine that
   * cannot do it rejects it at the start ({@link Guarantees#overflows}).
   */
  SubscriberBuilder<T> overflow(Overflow overflow);

  /** Starts with a blocking handler. */
  Subscription start(Handler<T> handler) throws MessagingException;

  /** Starts with an asynchronous handler. */
  Subscription startAsync(AsyncHandler<T> handler) throws MessagingException;
}
