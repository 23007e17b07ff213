package dev.mullion.framing;

import io.netty.buffer.ByteBuf;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * Writes headers, for streams and for Netty. No other class writes them. Not safe for use by
 * several threads.
 */
final class HeaderWriter {
  private final FormatGeometry geometry;
  private final boolean bigEndian;
  private final FrameScanner scanner;
  private final @Nullable SocketAddress peer;

  /** Whether a length of four bytes is the only addition to a payload, as in most formats. */
  private final boolean plain;

  HeaderWriter(FrameFormat format) {
    this(format, null);
  }

  /**
   * @param peer the address for error messages
   * @throws IllegalStateException if the format can only decode
   */
  HeaderWriter(FrameFormat format, @Nullable SocketAddress peer) {
    this.peer = peer;
    geometry = format.geometry();
    if (geometry.whyNotEncodable != null) {
      throw new IllegalStateException(
          "format cannot encode: " + geometry.whyNotEncodable + " (" + format + ")");
    }
    bigEndian = format.byteOrder() == ByteOrder.BIG_ENDIAN;
    scanner = new FrameScanner(format);
    plain = geometry.isBinary()
        && geometry.before.length + geometry.after.length + geometry.trailer.length == 0
        && geometry.strip == Integer.BYTES
        && geometry.headerLength == Integer.BYTES
        && geometry.width == Integer.BYTES;
  }

  int maxHeaderLength() {
    return geometry.maxHeaderLength;
  }

  byte[] trailer() {
    return geometry.trailer;
  }

  /** Returns whether a header contains no bytes of the frame. */
  boolean headerIsStripped() {
    return geometry.strip < 0 || (geometry.width > 0 && geometry.strip == geometry.headerLength);
  }

  /**
   * Writes a frame's header.
   *
   * @param frame the first bytes of the frame, from the buffer's position: at least {@link
   *     #maxHeaderLength()} or all of them; the position does not move
   * @param frameLength the length of the whole frame in bytes
   * @param out a big-endian buffer with room for {@link #maxHeaderLength()}; its position moves to
   *     the end of the header, and is undefined if an exception is thrown
   * @return how many of the frame's bytes belong to the header; the rest is its payload
   */
  int write(ByteBuffer frame, long frameLength, ByteBuffer out) throws FramingException {
    try {
      if (headerIsStripped()) {
        writeStripped(frameLength, out);
        return 0;
      }
      return geometry.width > 0
          ? writeKept(frame, frameLength, out)
          : writeKeptAsItIs(frame, frameLength, out);
    } catch (FramingException e) {
      throw e.sentTo(peer);
    }
  }

  /**
   * Appends a frame's header to a buffer.
   *
   * @param frame as above, or null if {@link #headerIsStripped()}
   * @param out a buffer of one memory region, with room for {@link #maxHeaderLength()}; its writer
   *     index moves to the end of the header, and does not move if an exception is thrown
   * @return how many of the frame's bytes belong to the header; the rest is its payload
   */
  int write(@Nullable ByteBuffer frame, int frameLength, ByteBuf out) throws FramingException {
    int at = out.writerIndex();
    if (isPlain(out)) {
      writePlain(frameLength, out, at);
      out.writerIndex(at + Integer.BYTES);
      return 0;
    }
    ByteBuffer nio = Bytes.view(out, at, maxHeaderLength());
    int start = nio.position();
    int inHeader = write(frame == null ? nio : frame, frameLength, nio);
    out.writerIndex(at + nio.position() - start);
    return inHeader;
  }

  /** Returns whether a header in this buffer is four bytes, and there is no trailer. */
  @SuppressWarnings("deprecation") // Only its order tells a little-endian view.
  boolean isPlain(ByteBuf out) {
    // The order of such a view is that of its writer, not that of the format.
    return plain && out.order() == ByteOrder.BIG_ENDIAN;
  }

  /**
   * Writes a header of four bytes at an index, if {@link #isPlain}; the buffer's indexes do not
   * move.
   */
  void writePlain(int frameLength, ByteBuf out, int at) throws FramingException {
    try {
      int length = (int) lengthField(frameLength);
      out.setInt(at, bigEndian ? length : Integer.reverseBytes(length));
    } catch (FramingException e) {
      throw e.sentTo(peer);
    }
  }

  private void writeStripped(long frameLength, ByteBuffer out) throws FramingException {
    long length = lengthField(frameLength);
    int at = out.position();
    out.put(geometry.before);
    if (geometry.encoding instanceof BinaryLength binary) {
      BinaryLength.put(out, at + geometry.offset, binary.width(), bigEndian, length);
      out.position(at + geometry.offset + binary.width());
    } else {
      writeLength(length, out);
    }
    out.put(geometry.after);
  }

  /** Calls an encoding, which may be a user's and may throw anything. */
  private void writeLength(long length, ByteBuffer out) throws CorruptFrameException {
    try {
      geometry.encoding.write(length, out);
    } catch (CorruptFrameException e) {
      throw e;
    } catch (Throwable e) {
      CorruptFrameException unwritten = new CorruptFrameException(
          "lengthEncoding: " + geometry.encoding + " failed to write " + length + ": " + e);
      unwritten.initCause(e);
      throw unwritten;
    }
  }

  /** The frame begins with the header's bytes from {@code strip} on; the length is overwritten. */
  private int writeKept(ByteBuffer frame, long frameLength, ByteBuffer out)
      throws FramingException {
    int header = geometry.headerLength;
    int strip = geometry.strip;
    int kept = Math.max(0, header - strip);
    if (frameLength < kept) {
      throw new CorruptFrameException("frame of "
          + frameLength
          + " bytes is too short for its kept header (expected: >= "
          + kept
          + ")");
    }
    long length = lengthField(frameLength - kept);
    int at = out.position();
    int lengthAt = at + geometry.offset;
    out.put(geometry.before);
    out.position(lengthAt + geometry.width);
    out.put(geometry.after);
    for (int i = 0; i < kept; i++) {
      out.put(at + strip + i, frame.get(frame.position() + i));
    }
    out.position(lengthAt);
    writeLength(length, out);
    check("beforeLength", out, at, geometry.before);
    check("afterLength", out, lengthAt + geometry.width, geometry.after);
    out.position(at + header);
    return kept;
  }

  /** The frame begins with a header whose length has variable width and must be correct. */
  private int writeKeptAsItIs(ByteBuffer frame, long frameLength, ByteBuffer out)
      throws FramingException {
    int strip = geometry.strip;
    int at = out.position();
    int copied = Math.min(frame.remaining(), geometry.maxHeaderLength - strip);
    out.put(geometry.before, 0, Math.min(strip, geometry.before.length));
    out.put(frame.slice(frame.position(), copied));
    int end = out.position();
    switch (scanner.inspect(out, at, end)) {
      case TOO_LARGE -> {
        long announced = scanner.tooLarge(null).frameLength();
        throw new FrameTooLargeException(announced, geometry.maxFrameLength, null, 0);
      }
      case CORRUPT -> throw new CorruptFrameException(scanner.corrupt(null).detail());
      case PART_OF_HEADER ->
        throw new CorruptFrameException(
            "frame of " + frameLength + " bytes ends inside its kept header");
      case FRAME -> {}
    }
    long expected = (long) scanner.wireLength() - strip - geometry.trailer.length;
    if (expected != frameLength) {
      throw new CorruptFrameException("frame of "
          + frameLength
          + " bytes does not match the length in its header (expected: "
          + expected
          + ")");
    }
    out.limit(out.capacity()).position(at + scanner.headerLength());
    return scanner.headerLength() - strip;
  }

  private long lengthField(long payload) throws FramingException {
    if (payload > geometry.maxFrameLength) {
      throw new FrameTooLargeException(payload, geometry.maxFrameLength, null, 0);
    }
    long length = payload + geometry.lengthOfEmpty;
    if (length < 0) {
      throw new CorruptFrameException("payload of "
          + payload
          + " bytes is too short for lengthAdjustment "
          + geometry.lengthAdjustment
          + " (expected: >= "
          + -geometry.lengthOfEmpty
          + ")");
    }
    return length;
  }

  private static void check(String name, ByteBuffer out, int index, byte[] constant)
      throws CorruptFrameException {
    if (!Bytes.at(out, index, constant)) {
      throw new CorruptFrameException(name
          + " bytes of the frame are "
          + Bytes.hex(out, index, constant.length)
          + " (expected: "
          + Bytes.hex(constant)
          + ")");
    }
  }
}
