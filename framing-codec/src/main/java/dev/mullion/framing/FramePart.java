package dev.mullion.framing;

import io.netty.buffer.ByteBuf;

/**
 * A part of a frame that is longer than the read in which it began: what a {@link
 * LengthDelimitedCodec} fires when it was built with {@link LengthDelimitedCodec.Builder#parts}, so
 * that a handler can work on a long frame as it comes and nobody has to hold it.
 *
 * <p>The parts of a frame follow each other, with nothing between them; the first begins with the
 * frame's header. Like a {@link FrameBatch}, a part and its buffer belong to the codec and are
 * valid until {@code channelRead} returns. If the stream breaks, the last part never comes.
 */
public final class FramePart {
  private final ByteBuf buffer;
  private final int wireOffset;
  private final int wireLength;
  private final int stripped;
  private final boolean first;
  private final boolean last;

  FramePart(
      ByteBuf buffer, int wireOffset, int wireLength, int stripped, boolean first, boolean last) {
    this.buffer = buffer;
    this.wireOffset = wireOffset;
    this.wireLength = wireLength;
    this.stripped = stripped;
    this.first = first;
    this.last = last;
  }

  /** Returns the buffer in which the part lies. Read it by index; it is not to be released. */
  public ByteBuf buffer() {
    return buffer;
  }

  /**
   * Returns the index in {@link #buffer()} of the first delivered byte, behind a stripped header.
   */
  public int offset() {
    return wireOffset + stripped;
  }

  /** Returns how many bytes are delivered. */
  public int length() {
    return wireLength - stripped;
  }

  /** Returns how many bytes it has on the wire: those of a stripped header too. */
  public int wireLength() {
    return wireLength;
  }

  /** Returns whether a frame begins with this part. */
  public boolean isFirst() {
    return first;
  }

  /** Returns whether the frame ends with this part. */
  public boolean isLast() {
    return last;
  }

  /**
   * Returns the part as it came, to be written or released by the caller; no byte is copied. Once
   * the first part has been written to a channel, the others must follow before anything else, and
   * if the last one never comes that channel must be closed.
   */
  public EncodedFrames encoded() {
    return new EncodedFrames(buffer.retainedSlice(wireOffset, wireLength), last ? 1 : 0);
  }
}
