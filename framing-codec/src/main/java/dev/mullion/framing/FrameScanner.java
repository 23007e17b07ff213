package dev.mullion.framing;

import static java.util.Objects.requireNonNull;

import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * Finds frames in received bytes, for streams and for Netty. No other class reads headers. Buffers
 * are big-endian and are read by index. One scanner serves one stream, on one thread.
 */
final class FrameScanner {
  /** The result of inspecting a header. */
  enum Found {
    /** The header is incomplete. */
    PART_OF_HEADER,
    /** The header is complete and valid; the frame has {@link #wireLength()} bytes. */
    FRAME,
    /** The payload exceeds the limit; the frame has {@link #tooLargeWireLength()} bytes. */
    TOO_LARGE,
    /** The stream is out of sync. */
    CORRUPT
  }

  private static final String TLS =
      "; the first bytes look like TLS: the peer may use TLS while this side does not"
          + " (setting: tls)";

  private final FormatGeometry geometry;
  private final boolean bigEndian;
  private final boolean plain;

  private long frames;
  private int headerLength;
  private int payloadLength;
  private long announced;
  private @Nullable CorruptFrameException corrupt;
  private boolean beginsLikeTls;

  FrameScanner(FrameFormat format) {
    this(format, 0);
  }

  /** Continues a stream in another format, after a number of frames. */
  FrameScanner(FrameFormat format, long frames) {
    this.frames = frames;
    geometry = format.geometry();
    bigEndian = format.byteOrder() == ByteOrder.BIG_ENDIAN;
    plain = geometry.isBinary() && !geometry.hasConstants();
  }

  FormatGeometry geometry() {
    return geometry;
  }

  /** The number of frames so far, delivered or skipped; the next frame has this number plus 1. */
  long frames() {
    return frames;
  }

  void passedOne() {
    frames++;
  }

  /** Subtracts frames that will be scanned again. */
  void giveBack(int count) {
    frames -= count;
  }

  int headerLength() {
    return headerLength;
  }

  int payloadLength() {
    return payloadLength;
  }

  /**
   * The length of the frame last inspected, from its first header byte to its last trailer byte.
   */
  int wireLength() {
    return headerLength + payloadLength + geometry.trailer.length;
  }

  /** The offset of the delivered bytes in the frame last inspected. */
  int deliveredOffset() {
    return geometry.strip < 0 ? headerLength : geometry.strip;
  }

  int deliveredLength() {
    return headerLength + payloadLength - deliveredOffset();
  }

  /** The length in bytes of the frame found too large, at most {@link Long#MAX_VALUE}. */
  long tooLargeWireLength() {
    long around = (long) headerLength + geometry.trailer.length;
    boolean reachable = announced >= 0 && announced < Long.MAX_VALUE - around;
    return reachable ? announced + around : Long.MAX_VALUE;
  }

  /**
   * Adds the complete and valid frames from an index on to a run, until it is full.
   *
   * @return the index after the last of them
   */
  int scan(ByteBuffer in, int from, int to, FrameRun run) {
    int known = run.size();
    noteBeginning(in, from, to);
    int at = plain ? scanPlain(in, from, to, run) : scanAny(in, from, to, run);
    frames += run.size() - known;
    return at;
  }

  /**
   * Checks whether the stream begins with a TLS handshake or alert. That may be valid in the
   * format, so it is reported only with an error.
   *
   * <pre>{@code
   *  +------------------+-------------------+-------+
   *  | type: 0x16, 0x15 | version: 0x03 0-4 | ...   |
   *  +------------------+-------------------+-------+
   * }</pre>
   */
  private void noteBeginning(ByteBuffer in, int from, int to) {
    if (frames == 0 && to - from >= 3) {
      int type = in.get(from);
      beginsLikeTls = (type == 0x16 || type == 0x15)
          && in.get(from + 1) == 3
          && in.get(from + 2) >= 0
          && in.get(from + 2) <= 4;
    }
  }

  private <E extends FramingException> E explained(E error) {
    if (beginsLikeTls) {
      error.hint(TLS);
    }
    return error;
  }

  /** Adds valid frames only, and leaves everything else to {@link #inspect}. */
  private int scanPlain(ByteBuffer in, int from, int to, FrameRun run) {
    int header = geometry.headerLength;
    long empty = geometry.lengthOfEmpty;
    int at = from;
    while (to - at >= header && !run.isFull()) {
      long length = lengthAt(in, at + geometry.offset);
      long payload = length - empty;
      if (length < 0 || payload < 0 || payload > geometry.maxFrameLength) {
        break;
      }
      if (payload > to - at - header) {
        break;
      }
      at = scanEqual(in, at, to, length, header + (int) payload, run);
    }
    return at;
  }

  /**
   * The hot loop: adds a frame that is known to be valid, and the following ones of the same
   * length. The position of the next header does not depend on the last one read, so the processor
   * need not wait for that: after two equal frames, four are compared at once.
   */
  private int scanEqual(ByteBuffer in, int first, int to, long length, int frame, FrameRun run) {
    int offset = geometry.offset;
    int strip = geometry.strip;
    int delivered = frame - strip;
    int[] bounds = run.boundsWithRoom();
    int used = run.used();
    bounds[used] = first + strip;
    bounds[used + 1] = delivered;
    used += 2;
    int at = first + frame;
    while (to - at >= frame && used < bounds.length && lengthAt(in, at + offset) == length) {
      bounds[used] = at + strip;
      bounds[used + 1] = delivered;
      used += 2;
      at += frame;
      while (to - at >= 4L * frame
          && bounds.length - used >= 8
          && fourAre(length, in, at + offset, frame)) {
        for (int i = 0; i < 8; i += 2) {
          bounds[used + i] = at + strip;
          bounds[used + i + 1] = delivered;
          at += frame;
        }
        used += 8;
      }
    }
    run.used(used);
    return at;
  }

  private boolean fourAre(long length, ByteBuffer in, int at, int frame) {
    long differences = lengthAt(in, at) ^ length;
    differences |= lengthAt(in, at + frame) ^ length;
    differences |= lengthAt(in, at + 2 * frame) ^ length;
    differences |= lengthAt(in, at + 3 * frame) ^ length;
    return differences == 0;
  }

  private long lengthAt(ByteBuffer in, int at) {
    return BinaryLength.get(in, at, geometry.width, bigEndian);
  }

  private int scanAny(ByteBuffer in, int from, int to, FrameRun run) {
    int at = from;
    while (!run.isFull()
        && inspect(in, at, to) == Found.FRAME
        && to - at >= wireLength()
        && trailerIsGood(in, at + headerLength + payloadLength)) {
      run.add(at + deliveredOffset(), deliveredLength());
      at += wireLength();
    }
    return at;
  }

  /** Inspects the header that begins at {@code from}; bytes are available up to {@code to}. */
  Found inspect(ByteBuffer in, int from, int to) {
    noteBeginning(in, from, to);
    try {
      return inspectHeader(in, from, to);
    } catch (CorruptFrameException e) {
      corrupt = e;
      return Found.CORRUPT;
    }
  }

  private Found inspectHeader(ByteBuffer in, int from, int to) throws CorruptFrameException {
    int lengthAt = from + geometry.offset;
    if (to - from < geometry.offset + geometry.encoding.minWidth()) {
      return Found.PART_OF_HEADER;
    }
    check("beforeLength", in, from, geometry.before);
    long length;
    int lengthEnd;
    if (geometry.encoding instanceof BinaryLength binary) {
      length = BinaryLength.get(in, lengthAt, binary.width(), bigEndian);
      lengthEnd = lengthAt + binary.width();
    } else {
      int available = Math.min(to - lengthAt, geometry.encoding.maxWidth());
      in.limit(lengthAt + available).position(lengthAt);
      length = readLength(in);
      lengthEnd = in.position();
      if (length == LengthEncoding.INCOMPLETE) {
        return tooWide(available);
      }
      checkRead(length, lengthEnd - lengthAt);
      in.limit(to);
    }
    headerLength = lengthEnd - from + geometry.afterLength;
    if (length >= 0 && length < geometry.lengthOfEmpty) {
      throw new CorruptFrameException("length field value "
          + length
          + " with lengthAdjustment "
          + geometry.lengthAdjustment
          + " is too small (expected: >= "
          + geometry.lengthOfEmpty
          + ")");
    }
    announced = announced(length);
    if (announced < 0 || announced > geometry.maxFrameLength) {
      return Found.TOO_LARGE;
    }
    payloadLength = (int) announced;
    if (to - from < headerLength) {
      return Found.PART_OF_HEADER;
    }
    check("afterLength", in, lengthEnd, geometry.after);
    return Found.FRAME;
  }

  /** Calls an encoding, which may be a user's; if it fails, no later byte can be trusted. */
  private long readLength(ByteBuffer in) throws CorruptFrameException {
    try {
      return geometry.encoding.read(in);
    } catch (CorruptFrameException e) {
      throw e;
    } catch (Throwable e) {
      CorruptFrameException unreadable =
          new CorruptFrameException("lengthEncoding: " + geometry.encoding + " failed: " + e);
      unreadable.initCause(e);
      throw unreadable;
    }
  }

  /**
   * The payload length that a length announces, as an unsigned number; the largest one on overflow.
   */
  private long announced(long length) {
    long payload = length - geometry.lengthOfEmpty;
    boolean more = geometry.lengthOfEmpty < 0 && Long.compareUnsigned(payload, length) < 0;
    return more ? -1 : payload;
  }

  /** Checks a user's encoding: an error in it must not put the stream out of sync unnoticed. */
  private void checkRead(long length, int width) throws CorruptFrameException {
    int min = geometry.encoding.minWidth();
    int max = geometry.encoding.maxWidth();
    if (length < 0 || width < min || width > max) {
      throw new CorruptFrameException("lengthEncoding: "
          + geometry.encoding
          + " read "
          + length
          + " from "
          + width
          + " bytes (expected: >= 0 from "
          + min
          + " to "
          + max
          + " bytes)");
    }
  }

  private Found tooWide(int available) throws CorruptFrameException {
    if (available == geometry.encoding.maxWidth()) {
      throw new CorruptFrameException("length is incomplete after "
          + available
          + " bytes (expected: <= "
          + geometry.encoding.maxWidth()
          + ", "
          + geometry.encoding
          + ")");
    }
    return Found.PART_OF_HEADER;
  }

  /** Checks the trailer at an index; if it is wrong, the stream is corrupt. */
  boolean trailerIsGood(ByteBuffer in, int index) {
    try {
      check("trailer", in, index, geometry.trailer);
      return true;
    } catch (CorruptFrameException e) {
      corrupt = e;
      return false;
    }
  }

  private static void check(String name, ByteBuffer in, int index, byte[] expected)
      throws CorruptFrameException {
    if (!Bytes.at(in, index, expected)) {
      throw new CorruptFrameException(name
          + " bytes are "
          + Bytes.hex(in, index, expected.length)
          + " (expected: "
          + Bytes.hex(expected)
          + ")");
    }
  }

  FrameTooLargeException tooLarge(@Nullable SocketAddress peer) {
    return explained(
        new FrameTooLargeException(announced, geometry.maxFrameLength, peer, frames + 1));
  }

  CorruptFrameException corrupt(@Nullable SocketAddress peer) {
    return explained(requireNonNull(corrupt, "corrupt").at(peer, frames + 1));
  }

  /** The error of a stream that ended inside a header. */
  TruncatedFrameException cutInHeader(long received, @Nullable SocketAddress peer) {
    return cutInHeader(received, peer, frames + 1);
  }

  private TruncatedFrameException cutInHeader(
      long received, @Nullable SocketAddress peer, long number) {
    int expected = geometry.headerLength == 0 ? -1 : geometry.headerLength;
    return explained(TruncatedFrameException.inHeader(received, expected, peer, number));
  }

  /** The error of a stream that ended after the header of the frame last inspected. */
  TruncatedFrameException cutBehindHeader(long received, @Nullable SocketAddress peer) {
    return cutBehindHeader(received, payloadLength, peer, frames + 1);
  }

  private TruncatedFrameException cutBehindHeader(
      long received, long payload, @Nullable SocketAddress peer, long number) {
    if (Long.compareUnsigned(received, payload) < 0) {
      return explained(TruncatedFrameException.inPayload(received, payload, peer, number));
    }
    int trailer = geometry.trailer.length;
    return explained(TruncatedFrameException.inTrailer(received - payload, trailer, peer, number));
  }

  /** The error of a stream that ended inside a frame that was too large and is being skipped. */
  TruncatedFrameException cutInSkipped(long missing, @Nullable SocketAddress peer) {
    // The frame was counted when its skipping began.
    long received = tooLargeWireLength() - missing;
    return received < headerLength
        ? cutInHeader(received, peer, frames)
        : cutBehindHeader(received - headerLength, announced, peer, frames);
  }
}
