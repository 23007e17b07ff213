package dev.mullion.framing;

import java.nio.ByteBuffer;

/**
 * How the length of a frame is written on the wire, where it is not an integer of fixed width
 * ({@link FrameFormat.Builder#lengthFieldLength(int)}).
 *
 * <p>{@link #varint32()}, {@link #asciiDecimal(char)}, {@link #asciiHex(int)} and {@link
 * #asciiHexUpperCase(int)} are here; implement the interface for another one. An implementation is
 * immutable, may be called by many threads at a time, and names its settings in {@code toString()};
 * a record does all of that. It must not wait, since an event loop may call it. {@link #write} is
 * called with no lock held. {@link #read} must not use the connection whose frame it reads: others
 * who receive from that wait until it has returned. {@code read} and {@code write} must be each
 * other's inverse: one value has one form on the wire, and any other form is refused as corrupt, so
 * that a frame that is decoded and encoded again gives the same bytes.
 *
 * <p>Here is one with four decimal digits:
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
  /** What {@link #read} returns when the length has not come in full. */
  long INCOMPLETE = -1;

  /** Returns the fewest bytes that a length takes, at least 1. */
  int minWidth();

  /** Returns the most bytes that a length takes, at most 64. */
  int maxWidth();

  /** Returns the largest length that can be written; the smallest is 0. */
  long maxValue();

  /**
   * Reads a length from the buffer's position and moves the position behind it.
   *
   * @param in the bytes that have come, at most {@link #maxWidth()} of them, in big-endian order;
   *     the method does not keep it
   * @return the length, at least 0, or {@link #INCOMPLETE} if bytes are missing (the position then
   *     does not matter)
   * @throws CorruptFrameException if these bytes can never become a length
   */
  long read(ByteBuffer in) throws CorruptFrameException;

  /**
   * Writes a length at the buffer's position and moves the position behind it.
   *
   * @param value from 0 to {@link #maxValue()}
   * @param out has room for {@link #maxWidth()} bytes, in big-endian order
   * @throws CorruptFrameException if this encoding has no form for the value
   */
  void write(long value, ByteBuffer out) throws CorruptFrameException;

  /**
   * Returns protobuf's base-128 varint of an unsigned 32-bit number, at most 5 bytes. A prefix with
   * needless zero groups, or with more than 32 bits, is corrupt. (Format: Protocol Buffers,
   * Encoding.)
   */
  static LengthEncoding varint32() {
    return new Varint32();
  }

  /**
   * Returns decimal digits without leading zeros, at most 18, ended by a delimiter.
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
