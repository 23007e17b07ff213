package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

/**
 * An address of request-reply: one of those that reply to it gets each request.
 *
 * @param name the subject's name
 * @param requestCodec the codec of requests
 * @param replyCodec the codec of replies
 * @param <Q> the request's type
 * @param <R> the reply's type
 */
public record Subject<Q, R>(String name, MessageCodec<Q> requestCodec, MessageCodec<R> replyCodec) {

  /** Checks the name. */
  public Subject {
    Names.checkName("name", name);
    requireNonNull(requestCodec, "requestCodec");
    requireNonNull(replyCodec, "replyCodec");
  }

  /** Returns a subject. */
  public static <Q, R> Subject<Q, R> of(
      String name, MessageCodec<Q> requestCodec, MessageCodec<R> replyCodec) {
    return new Subject<>(name, requestCodec, replyCodec);
  }
}
