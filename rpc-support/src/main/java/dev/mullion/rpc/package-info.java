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
 */
@NullMarked
package dev.mullion.rpc;

import org.jspecify.annotations.NullMarked;
