package dev.mullion.messaging;

/**
 * Answers requests. An exception reaches the caller as a {@link RequestFailedException} with its
 * text.
 *
 * @param <Q> the request's type
 * @param <R> the reply's type
 */
@FunctionalInterface
public interface Replier<Q, R> {
  /** Answers one request. */
  R reply(Delivery<Q> request) throws Exception;
}
