/**
 * Framed TCP. {@link dev.mullion.framing.tcp.EchoServer} answers each frame with itself, on the
 * {@link dev.mullion.framing.tcp.Transport} that fits the machine; {@link
 * dev.mullion.framing.tcp.TcpCounters} tell what it did.
 */
@NullMarked
package dev.mullion.framing.tcp;

import org.jspecify.annotations.NullMarked;
