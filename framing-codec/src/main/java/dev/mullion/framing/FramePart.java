package dev.mullion.framing;

import io.netty.buffer.ByteBuf;

/**
 * A part of a frame that is longer than the read in which it began. A {@link BatchDecoder} passes
 * it to its receiver, and a {@link LengthDelimitedCodec} that was built with {@link
 * LengthDelimitedCodec.Builder#parts} fires it. A long frame can then be processed as it arrives,
 * without being kept in memory.
 *
 * <p>The parts of a frame are consecutive, with no other message between them; the first begins
 * with the frame's header. A part and its buffer are valid as long as a {@link FrameBatch} is, and
 * must not be released either. If the connection fails, the last part never
 * arrives.
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

  /** Returns the buffer that contains the part. Read it by index, and do not release it. */
  public ByteBuf buffer() {
    return buffer;
  }

  /**
   * Returns the index in {@link #buffer()} of the first delivered byte, after a stripped header.
   */
  public int offset() {
    return wireOffset + stripped;
  }

  /** Returns the number of delivered bytes. */
  public int length() {
    return wireLength - stripped;
  }

  /** Returns the number of bytes on the wire, including a stripped header. */
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
   * Returns the part as it was received, without a copy. The caller must write or release it. After
   * the first part has been written to a channel, write the other parts before anything else. If
   * the last part never arrives, close that channel.
   */
  public EncodedFrames encoded() {
    return new EncodedFrames(buffer.retainedSlice(wireOffset, wireLength), last ? 1 : 0);
  }
}
