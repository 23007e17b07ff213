/**
 * Frames in a stream of bytes, delimited by their length.
 *
 * <p>A {@link dev.mullion.framing.FrameFormat} describes the wire format once, for both directions.
 * {@link dev.mullion.framing.LengthDelimitedCodec} speaks it in a Netty pipeline; {@link
 * dev.mullion.framing.FrameReader} and {@link dev.mullion.framing.FrameWriter} speak it over plain
 * streams and channels; {@link dev.mullion.framing.FrameDecoder} and {@link
 * dev.mullion.framing.FrameEncoder} serve code that has a transport of its own. What breaks it is a
 * {@link dev.mullion.framing.FramingException}, with the numbers and the peer's address. Servers
 * are in {@link dev.mullion.framing.tcp}.
 */
@NullMarked
package dev.mullion.framing;

import org.jspecify.annotations.NullMarked;
