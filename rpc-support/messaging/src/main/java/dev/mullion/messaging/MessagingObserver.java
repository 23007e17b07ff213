package dev.mullion.messaging;

/**
 * Sees each message when it is sent and around its handler, to carry trace context or to measure.
 * {@link MessagingMetrics} and {@link MessagingTraces} return ready ones. What the methods throw is
 * counted and logged, and changes nothing else.
 */
public interface MessagingObserver {

  /** Called by the sender's thread; returns the message to send, perhaps with more headers. */
  default <T> Message<T> sending(String address, Message<T> message) {
    return message;
  }

  /**
   * Called before a reply is sent, by the thread that has it, when the scope of its replier may be
   * closed; as {@link #sending} by default.
   */
  default <T> Message<T> replying(String address, Message<?> request, Message<T> reply) {
    return sending(address, reply);
  }

  /** Called on the handler's thread before it runs; the scope is closed there when it returned. */
  default Scope handling(String address, Message<?> message) {
    return (error) -> {};
  }

  /** What surrounds one call of a handler. */
  @FunctionalInterface
  interface Scope {
    /** Called after the handler, with what it threw or {@code null}. */
    void close(@org.jspecify.annotations.Nullable Throwable error);
  }
}
