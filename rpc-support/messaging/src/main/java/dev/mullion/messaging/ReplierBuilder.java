package dev.mullion.messaging;

import java.util.concurrent.CompletionStage;

/**
 * The settings of a replier.
 *
 * @param <Q> the request's type
 * @param <R> the reply's type
 */
public interface ReplierBuilder<Q, R> {

  /** Sets how many requests may be handled at once: 16 by default. */
  ReplierBuilder<Q, R> concurrency(int concurrency);

  /** Starts with a blocking replier. */
  Subscription start(Replier<Q, R> replier) throws MessagingException;

  /** Starts with an asynchronous replier. */
  Subscription startAsync(AsyncReplier<Q, R> replier) throws MessagingException;

  /**
   * Starts with an asynchronous replier that returns a whole message, with headers.
   */
  Subscription startMessages(AsyncReplier<Q, Message<R>> replier) throws MessagingException;

  /**
   * Answers requests without blocking.
   *
   * @param <Q> the request's type
   * @param <R> the reply's type
   */
  @FunctionalInterface
  interface AsyncReplier<Q, R> {
    /** Begins to answer one request; a failed stage is the caller's error. */
    CompletionStage<? extends R> reply(Delivery<Q> request);
  }
}
