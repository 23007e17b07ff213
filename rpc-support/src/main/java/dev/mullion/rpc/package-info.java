/**
 * What a gRPC service needs around its stubs.
 *
 * <p>{@link dev.mullion.rpc.RpcServer} is a server with health, reflection, limits, timeouts, one
 * place for what exceptions mean and a graceful stop, whose outcome is a {@link
 * dev.mullion.net.StopReport}; {@link dev.mullion.rpc.RpcCounters} tell what it has done, and a
 * {@link dev.mullion.rpc.CallRecord} what a call was. {@link dev.mullion.rpc.RpcChannel} is a
 * channel to one or several servers, with a deadline for each call; a {@link
 * dev.mullion.rpc.RetryPolicy} says when it calls again, a {@link dev.mullion.rpc.HedgingPolicy}
 * when it does so before it has an answer. {@link dev.mullion.net.Tls} says how either speaks TLS,
 * {@link dev.mullion.rpc.Keepalive} how both find dead connections. {@link
 * dev.mullion.rpc.ErrorDetails} attaches rich details to an error, and finds them.
 *
 * <p>{@link dev.mullion.rpc.RpcMethod} writes a service's methods as functions. A {@link
 * dev.mullion.rpc.StreamWriter} waits while its peer is behind, and a {@link
 * dev.mullion.rpc.StreamReader} for the next message; a client has both in a {@link
 * dev.mullion.rpc.ClientStream}. {@link dev.mullion.rpc.StopSignal} tells long streams that the
 * server is to stop.
 *
 * <p>For those who read the source, the way of a call through a server, from its headers down to
 * its service, and back up with its reply. Each class owns what stands beside it:
 *
 * <pre>{@code
 *  the peer's HTTP/2 stream
 *  -----------------------------------------------------------------------------------
 *  PeerConnection    frames of one connection, and its resets
 *    PeerStream      bytes of replies that the peer has not taken   <-- PendingReplies
 *  StreamTracers     begin and end of the call, each told once      --> CallRecorder
 *    CallRegistry    the open calls, maxCalls, the stop
 *      OpenCall      one call: counted or refused, signalled, cut, over
 *  ServerGuard       the first interceptor, it makes an AcceptedCall of
 *    GuardedCall     the way out: who ends the call, and with what status
 *    CallContext     the io.grpc.Context with the deadline          <-- CallTimeouts
 *    FirstTurn       the wait for a thread                          <-- ServerThreads
 *    StreamListener  the way in, for streams that may wait
 *      CallExecutor  their events, one at a time
 *  interceptors      the user's
 *  service           a StreamBody, which reads with StreamReader, writes with StreamWriter
 * }</pre>
 *
 * <p>An {@code OpenCall} is complete when the tracer has made it, and an {@code AcceptedCall} when
 * the guard hands it over; nothing is set later. The end comes from the service through {@code
 * GuardedCall}, or in its place through {@code OpenCall}, and once more from the transport through
 * {@code StreamTracers}, which is when the call stops counting.
 */
@NullMarked
package dev.mullion.rpc;

import org.jspecify.annotations.NullMarked;
