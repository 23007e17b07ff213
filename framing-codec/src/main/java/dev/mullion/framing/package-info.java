/**
 * Length-prefixed frames in a stream of bytes.
 *
 * <p>A {@link dev.mullion.framing.FrameFormat} describes the wire format once, for both directions.
 * {@link dev.mullion.framing.LengthDelimitedCodec} implements it in a Netty pipeline; {@link
 * dev.mullion.framing.FrameReader} and {@link dev.mullion.framing.FrameWriter} implement it over
 * plain streams and channels; {@link dev.mullion.framing.FrameDecoder} and {@link
 * dev.mullion.framing.FrameEncoder} are for code that has its own transport. A violation of the
 * format is a {@link dev.mullion.framing.FramingException} with the numbers and the peer's address.
 * Servers and clients are in {@link dev.mullion.framing.tcp}.
 */
@NullMarked
package dev.mullion.framing;

import org.jspecify.annotations.NullMarked;
