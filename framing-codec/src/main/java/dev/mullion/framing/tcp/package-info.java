/**
 * Framed TCP. A {@link dev.mullion.framing.tcp.FramedServer} passes each {@link
 * dev.mullion.framing.tcp.FramedConnection} to a handler of one of three kinds: a {@link
 * dev.mullion.framing.tcp.ConnectionHandler} in blocking code, a {@link
 * dev.mullion.framing.tcp.BatchHandler} on the event loop, or a publisher and a subscriber. A
 * {@link dev.mullion.framing.tcp.FramedClient} opens such a connection, and can match replies to
 * requests.
 *
 * <p>{@link dev.mullion.net.Tls} secures both. {@link dev.mullion.framing.tcp.Transport} selects
 * the kind of sockets. {@link dev.mullion.framing.tcp.TcpCounters} count what happens; {@link
 * dev.mullion.framing.tcp.MicrometerMetrics} publishes them. {@link
 * dev.mullion.framing.tcp.EchoServer} echoes each frame.
 *
 * <p>Every timeout and what it measures. No clock advances while the event loop is held up. {@code
 * 0} sets no limit where that is allowed.
 *
 * <pre>{@code
 *  setting            measures the time in which                            then
 *  ---------------------------------------------------------------------------------------------
 *  idleTimeout        no byte came or went, and it was for the peer to go   connectionsIdle
 *                     on: bytes wait for it, or all that came was taken
 *  stallTimeout       no frame was taken and no byte went, and it was for   connectionsStalled
 *                     this side to go on: bytes wait for its handler, or
 *                     the memory budget is used up
 *  frameTimeout       the rest of a frame was missing, from its first       framesTimedOut
 *                     byte on, while this side read and took what came
 *  closeTimeout       a connection that is being closed could send          connectionsFailed
 *                     nothing of what is left
 *                     a client or server as a whole is closed               connectionsCut
 *                     half of it: this side has ended, the peer has not     closesUnconfirmed
 *  connectTimeout     a connection is being made: name, TCP and TLS         the attempt fails
 *  handshakeTimeout   the handshake of TLS goes on                          connection is closed
 *  reloadInterval     between two checks of the files of TLS                changed ones are loaded
 *  requestTimeout     a reply did not come, from the request's call on      requestsTimedOut
 *  receive(timeout)   no frame came                                         receive() fails
 *  handlerThreadTimeout   a connection waited for a thread of its handler   connectionsNotServed
 *  slowHandlerLimit   one call of a handler held its event loop             handlersSlow, logged
 *  Reconnect          firstDelay, maxDelay: no attempt is made              the next attempt
 *                     resetAfter: a connection has stayed open              failures are forgotten
 * }</pre>
 */
@NullMarked
package dev.mullion.framing.tcp;

import org.jspecify.annotations.NullMarked;
