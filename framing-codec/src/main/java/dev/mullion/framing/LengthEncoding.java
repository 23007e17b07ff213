package dev.mullion.framing;

import java.nio.ByteBuffer;

/**
 * How a frame's length is written on the wire, if it is not an integer of fixed width ({@link
 * FrameFormat.Builder#lengthFieldLength(int)}).
 *
 * <p>{@link #varint32()}, {@link #asciiDecimal(char)}, {@link #asciiHex(int)} and {@link
 * #asciiHexUpperCase(int)} are provided; implement the interface for other encodings. An
 * implementation must be immutable and safe for use by several threads, and should list its
 * settings in {@code toString()}; a record does all of that. It must not block, since an event loop
 * may call it. {@link #write} is called without a lock. {@link #read} must not use the connection
 * whose frame it reads, because other receivers of that connection wait until it returns. {@code
 * read} and {@code write} must be inverse: each value has exactly one form on the wire, and any
 * other form is rejected as corrupt. A frame that is decoded and encoded again then gives the same
 * bytes.
 *
 * <p>An encoding with four decimal digits:
 *
 * <pre>{@code
 * record FourDigits() implements LengthEncoding {
 *   public int minWidth() { return 4; }
 *   public int maxWidth() { return 4; }
 *   public long maxValue() { return 9999; }
 *   public long read(ByteBuffer in) throws CorruptFrameException {
 *     if (in.remaining() < 4) {
 *       return INCOMPLETE;
 *     }
 *     long value = 0;
 *     for (int i = 0; i < 4; i++) {
 *       int digit = in.get() - '0';
 *       if (digit < 0 || digit > 9) {
 *         throw new CorruptFrameException("length is not decimal");
 *       }
 *       value = value * 10 + digit;
 *     }
 *     return value;
 *   }
 *   public void write(long value, ByteBuffer out) {
 *     out.put(String.format(Locale.ROOT, "%04d", value).getBytes(StandardCharsets.US_ASCII));
 *   }
 * }
 * }</pre>
 */
public interface LengthEncoding {
  /** The result of {@link #read} if the length is incomplete. */
  long INCOMPLETE = -1;

  /** Returns the minimum width of a length in bytes, at least 1. */
  int minWidth();

  /** Returns the maximum width of a length in bytes, at most 64. */
  int maxWidth();

  /** Returns the largest length that can be written; the smallest is 0. */
  long maxValue();

  /**
   * Reads a length at the buffer's position, and moves the position to its end.
   *
   * @param in the received bytes, at most {@link #maxWidth()} of them, in big-endian order; do not
   *     keep the buffer
   * @return the length, at least 0, or {@link #INCOMPLETE} if bytes are missing (the position is
   *     then ignored)
   * @throws CorruptFrameException if no further bytes can make this a valid length
   */
  long read(ByteBuffer in) throws CorruptFrameException;

  /**
   * Writes a length at the buffer's position, and moves the position to its end.
   *
   * @param value from 0 to {@link #maxValue()}
   * @param out a buffer with room for {@link #maxWidth()} bytes, in big-endian order
   * @throws CorruptFrameException if this encoding cannot express the value
   */
  void write(long value, ByteBuffer out) throws CorruptFrameException;

  /**
   * Returns protobuf's base-128 varint of an unsigned 32-bit number, at most 5 bytes. A varint with
   * redundant zero groups, or with more than 32 bits, is corrupt. (Specified in Protocol Buffers,
   * Encoding.)
   */
  static LengthEncoding varint32() {
    return new Varint32();
  }

  /**
   * Returns decimal digits without leading zeros, at most 18, followed by a delimiter.
   *
   * @param delimiter an ASCII character that is not a digit, such as {@code ':'} in a netstring
   */
  static LengthEncoding asciiDecimal(char delimiter) {
    return new AsciiDecimal(delimiter, 0);
  }

  /**
   * Returns hexadecimal digits in lower case, padded with zeros to a fixed width.
   *
   * @param digits from 1 to 8
   */
  static LengthEncoding asciiHex(int digits) {
    return new AsciiHex(digits, false);
  }

  /**
   * Returns hexadecimal digits in upper case, padded with zeros to a fixed width.
   *
   * @param digits from 1 to 8
   */
  static LengthEncoding asciiHexUpperCase(int digits) {
    return new AsciiHex(digits, true);
  }
}
