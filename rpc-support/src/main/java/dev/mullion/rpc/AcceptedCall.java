package dev.mullion.rpc;

import org.jspecify.annotations.Nullable;

/**
 * A call that gRPC has accepted, with everything that {@link ServerGuard} adds to it. It is
 * complete when its {@link OpenCall} receives it, and does not change.
 *
 * @param call replaces gRPC's own call for the service
 * @param context the context that the service sees; null means gRPC's own, for a call that does not
 *     count or has already ended
 * @param turn the queue in which it waits for a thread; null if it stays on the event loop
 * @param stream receives the events of a stream whose body may block; null for other calls
 */
record AcceptedCall<Q, R>(
    GuardedCall<Q, R> call,
    @Nullable CallContext context,
    @Nullable FirstTurn turn,
    @Nullable StreamListener<Q> stream) {}
