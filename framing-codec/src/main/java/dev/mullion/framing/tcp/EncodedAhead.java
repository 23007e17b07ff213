package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameEncoder;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.LengthEncoding;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.DefaultByteBufHolder;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A frame encoded before its queue was locked, because a user's {@link LengthEncoding} may run any
 * code.
 */
final class EncodedAhead extends DefaultByteBufHolder {
  private static final Set<Class<?>> OWN = Stream.of(
          FrameFormat.defaults().lengthEncoding(),
          LengthEncoding.varint32(),
          LengthEncoding.asciiDecimal(':'),
          LengthEncoding.asciiHex(1))
      .map(Object::getClass)
      .collect(Collectors.toUnmodifiableSet());

  private final FrameEncoder encoder;
  private final int length;

  /** Takes over a frame encoded by an encoder used for it alone. */
  EncodedAhead(FrameEncoder encoder, ByteBuf encoded, int length) {
    super(encoded);
    this.encoder = encoder;
    this.length = length;
  }

  /** Whether frames of a format must be encoded before the lock is taken. */
  static boolean isNeeded(FrameFormat format) {
    return !OWN.contains(format.lengthEncoding().getClass());
  }

  /** The length of its payload. */
  int length() {
    return length;
  }

  /** Returns the bytes for the wire, retained, and counts the frame. */
  ByteBuf take() {
    encoder.report();
    return content().retain();
  }

  // Identity, not the equality of the content.
  @Override
  @SuppressWarnings("ReferenceEquality")
  public boolean equals(Object other) {
    return this == other;
  }

  @Override
  public int hashCode() {
    return System.identityHashCode(this);
  }

  @Override
  public EncodedAhead replace(ByteBuf encoded) {
    return new EncodedAhead(encoder, encoded, length);
  }
}
