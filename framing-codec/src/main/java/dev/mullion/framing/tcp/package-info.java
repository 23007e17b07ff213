/**
 * Framed TCP. A {@link dev.mullion.framing.tcp.FramedServer} gives each {@link
 * dev.mullion.framing.tcp.FramedConnection} to a handler, of which there are three kinds: {@link
 * dev.mullion.framing.tcp.ConnectionHandler} in blocking code, {@link
 * dev.mullion.framing.tcp.BatchHandler} on the event loop, and what a publisher and a subscriber are
 * connected to. A {@link dev.mullion.framing.tcp.FramedClient} makes such a connection, and can match
 * replies with requests. {@link dev.mullion.framing.tcp.Tls} secures both, {@link
 * dev.mullion.framing.tcp.Transport} says how sockets are served, {@link
 * dev.mullion.framing.tcp.TcpCounters} tell what was done, also to a registry of Micrometer by {@link
 * dev.mullion.framing.tcp.MicrometerMetrics}, and {@link dev.mullion.framing.tcp.EchoServer} answers
 * each frame with itself.
 */
@NullMarked
package dev.mullion.framing.tcp;

import org.jspecify.annotations.NullMarked;
