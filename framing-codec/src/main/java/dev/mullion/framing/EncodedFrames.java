package dev.mullion.framing;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.DefaultByteBufHolder;

/**
 * Frames, or a part of one, as they lie on the wire. A {@link LengthDelimitedCodec} that is given
 * one to write sends its bytes as they are. Whoever holds it releases it; writing it passes it on.
 */
public final class EncodedFrames extends DefaultByteBufHolder {
  private final int size;

  /**
   * Takes over a buffer with frames.
   *
   * @param wire frames, headers and trailers with them; released with this object, or now if the
   *     size is refused
   * @param size how many frames end in it
   */
  public EncodedFrames(ByteBuf wire, int size) {
    super(wire);
    if (size < 0) {
      wire.release();
      throw new IllegalArgumentException("size: " + size + " (expected: >= 0)");
    }
    this.size = size;
  }

  /** Returns how many frames end in it. */
  public int size() {
    return size;
  }

  @Override
  public EncodedFrames replace(ByteBuf wire) {
    return new EncodedFrames(wire, size);
  }

  @Override
  public EncodedFrames copy() {
    return (EncodedFrames) super.copy();
  }

  // The content tells two of them apart; how many frames are in it is a note for the counters.
  @Override
  public boolean equals(Object other) {
    return super.equals(other);
  }

  @Override
  public int hashCode() {
    return super.hashCode();
  }
}
