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
 *  idleTimeout        no byte was received or sent, and the peer had to     connectionsIdle
 *                     act next: bytes are queued for it, or all received
 *                     bytes were handled
 *  stallTimeout       no frame was taken and no byte sent, and this side    connectionsStalled
 *                     had to act next: bytes wait for its handler, or the
 *                     memory budget is exhausted
 *  frameTimeout       the rest of a frame was missing, from its first       framesTimedOut
 *                     byte, while this side read and handled input
 *  closeTimeout       a closing connection could send none of its           connectionsFailed
 *                     remaining bytes
 *                     a client or server as a whole is closed               connectionsCut
 *                     half of it: this side has ended, the peer has not     closesUnconfirmed
 *  connectTimeout     a connection is being opened: name, TCP and TLS       the attempt fails
 *  handshakeTimeout   the TLS handshake is in progress                      connection is closed
 *  reloadInterval     between two checks of the TLS files                   changed ones are loaded
 *  requestTimeout     no reply was received, from the request's call        requestsTimedOut
 *  receive(timeout)   no frame was received                                 receive() fails
 *  handlerThreadTimeout   a connection waited for a handler thread          connectionsNotServed
 *  slowHandlerLimit   one call of a handler held its event loop             handlersSlow, logged
 *  Reconnect          firstDelay, maxDelay: no attempt is made              the next attempt
 *                     resetAfter: a connection has stayed open              attempts are reset
 * }</pre>
 */
@NullMarked
package dev.mullion.framing.tcp;

import org.jspecify.annotations.NullMarked;
