package dev.mullion.framing;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.DefaultByteBufHolder;

/**
 * Frames, or a part of a frame, in wire format. A {@link LengthDelimitedCodec} writes these bytes
 * unchanged. The owner must release this object; writing it transfers ownership.
 */
public final class EncodedFrames extends DefaultByteBufHolder {
  private final int size;

  /**
   * Takes ownership of a buffer with frames.
   *
   * @param wire frames with their headers and trailers; released with this object, or at once if
   *     the size is rejected
   * @param size the number of frames that end in it
   */
  public EncodedFrames(ByteBuf wire, int size) {
    super(wire);
    if (size < 0) {
      wire.release();
      throw new IllegalArgumentException("size: " + size + " (expected: >= 0)");
    }
    this.size = size;
  }

  /** Returns the number of frames that end in it. */
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

  // Equality compares the content; the number of frames is only for the counters.
  @Override
  public boolean equals(Object other) {
    return super.equals(other);
  }

  @Override
  public int hashCode() {
    return super.hashCode();
  }
}
