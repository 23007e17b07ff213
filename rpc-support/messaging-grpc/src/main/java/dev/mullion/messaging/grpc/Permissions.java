package dev.mullion.messaging.grpc;

import io.grpc.Context;

/**
 * Decides what the clients of a {@link MessagingServer} may do. Who a client is, an interceptor of
 * the server finds out and puts into the call's {@link Context}.
 *
 * <pre>{@code
 * MessagingServer.builder(engine)
 *     .rpc(rpc -> rpc.intercept(authentication))
 *     .permissions((verb, address, context) ->
 *         address.split("[./]", 2)[0].equals(TENANT.get(context)))
 * }</pre>
 *
 * <p>Called for each send and each subscription, by the thread that handles the client's frames, so
 * it should be quick. What it throws is logged, and the client is denied.
 */
@FunctionalInterface
public interface Permissions {

  /**
   * Returns whether a client may do this.
   *
   * @param address the name of the topic, queue, subject or signal; of a group, the first word of
   *     its topic, a slash and its name; empty for {@link Verb#MANAGE} of all queues
   * @param context that of the client's call
   */
  boolean allows(Verb verb, String address, Context context);

  /** What a client wants to do. */
  enum Verb {
    /** Publish to a topic. */
    PUBLISH,
    /** Subscribe to a topic or pattern, also by declaring a group of it or pulling from one. */
    SUBSCRIBE,
    /** Push to a queue, or declare it. */
    PUSH,
    /** Pull from a queue or group, or declare it. */
    PULL,
    /** Send requests to a subject. */
    REQUEST,
    /** Reply to requests. */
    REPLY,
    /** Send to a signal. */
    SEND,
    /** Receive a signal. */
    RECEIVE,
    /** Read, redrive or purge dead letters, change or delete a queue, list all queues. */
    MANAGE
  }
}
