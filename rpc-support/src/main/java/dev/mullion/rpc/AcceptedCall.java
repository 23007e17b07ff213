package dev.mullion.rpc;

import org.jspecify.annotations.Nullable;

/**
 * A call that gRPC has accepted, with all that {@link ServerGuard} puts around it. It is complete
 * when its {@link OpenCall} gets it, and does not change.
 *
 * @param call what its service calls in place of gRPC's own call
 * @param context what its service sees as its context; null, which is gRPC's own, if the call does
 *     not count or had ended before
 * @param turn where it waits for a thread; null if it stays on the event loop
 * @param stream what takes the events of a stream whose body may wait; null for others
 */
record AcceptedCall<Q, R>(
    GuardedCall<Q, R> call,
    @Nullable CallContext context,
    @Nullable FirstTurn turn,
    @Nullable StreamListener<Q> stream) {}
