/**
 * Servers, channels and streams for gRPC services in production.
 *
 * <p>{@link dev.mullion.rpc.RpcServer} is a server with health, reflection, limits, timeouts,
 * central mapping from exceptions to statuses, and a graceful stop that returns a {@link
 * dev.mullion.net.StopReport}. {@link dev.mullion.rpc.RpcCounters} count its work, and a {@link
 * dev.mullion.rpc.CallRecord} describes one call. {@link dev.mullion.rpc.RpcChannel} is a channel
 * to one or several servers, with a deadline for each call. A {@link dev.mullion.rpc.RetryPolicy}
 * defines when it retries a call, and a {@link dev.mullion.rpc.HedgingPolicy} when it hedges one.
 * {@link dev.mullion.net.Tls} configures TLS on either side, and {@link dev.mullion.rpc.Keepalive}
 * the detection of dead connections. {@link dev.mullion.rpc.ErrorDetails} attaches rich details to
 * an error, and finds them.
 *
 * <p>{@link dev.mullion.rpc.RpcMethod} writes a service's methods as functions. A {@link
 * dev.mullion.rpc.StreamWriter} waits while its peer is behind, and a {@link
 * dev.mullion.rpc.StreamReader} waits for the next message; a client has both in a {@link
 * dev.mullion.rpc.ClientStream}. {@link dev.mullion.rpc.StopSignal} notifies long streams that the
 * server is stopping.
 *
 * <p>For readers of the source, this is the path of a call through a server, from its headers down
 * to its service, and back up with its reply. Each class owns what its line names:
 *
 * <pre>{@code
 *  the peer's HTTP/2 stream
 *  -----------------------------------------------------------------------------------
 *  PeerConnection    frames of one connection, and its resets
 *    PeerStream      bytes of replies that the peer has not read    <-- PendingReplies
 *  StreamTracers     begin and end of the call, each reported once  --> CallRecorder
 *    CallRegistry    the open calls, maxCalls, the stop
 *      OpenCall      one call: counted or rejected, signalled, cancelled, over
 *  ServerGuard       the first interceptor, which makes an AcceptedCall of
 *    GuardedCall     outbound: which side ends the call, and with what status
 *    CallContext     the io.grpc.Context with the deadline          <-- CallTimeouts
 *    FirstTurn       the wait for a thread                          <-- ServerThreads
 *    StreamListener  inbound, for streams that may wait
 *      CallExecutor  their events, one at a time
 *  interceptors      the user's
 *  service           a StreamBody, which reads with StreamReader, writes with StreamWriter
 * }</pre>
 *
 * <p>An {@code OpenCall} is complete when the tracer has created it, and an {@code AcceptedCall}
 * when the guard passes it on; nothing is set later. The service ends a call through {@code
 * GuardedCall}; the server ends it through {@code OpenCall}. Then the transport reports the end
 * through {@code StreamTracers}, and the call no longer counts.
 */
@NullMarked
package dev.mullion.rpc;

import org.jspecify.annotations.NullMarked;
