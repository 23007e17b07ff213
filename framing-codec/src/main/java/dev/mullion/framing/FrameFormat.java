package dev.mullion.framing;

import dev.mullion.net.base.Check;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The wire format of frames, as one immutable value for both directions. Readers, writers, codecs,
 * servers and clients use it.
 *
 * <p>A frame consists of a header, a payload and an optional trailer. The header consists of {@code
 * lengthFieldOffset} bytes, the length field, and the constant or stripped bytes after it. The
 * length plus {@code lengthAdjustment} is the number of bytes after the length field. A frame with
 * every part, whose {@code lengthAdjustment} is 2 because the length does not count the two
 * constant bytes after it:
 *
 * <pre>{@code
 *                             ON THE WIRE                                        DECODED
 * +---------------+--------+--------------+----------------+---------+      +----------------+
 * | before length | length | after length | payload        | trailer |      | payload        |
 * | 0xCA          | 0x000C | 0x01         | "HELLO, WORLD" | 0x0A    | ---> | "HELLO, WORLD" |
 * +---------------+--------+--------------+----------------+---------+      +----------------+
 * }</pre>
 *
 * <p>By default the length is a big-endian integer of four bytes that counts the payload. Only the
 * payload is delivered:
 *
 * <pre>{@code
 *           ON THE WIRE                     DECODED
 * +------------+----------------+      +----------------+
 * | length     | payload        |      | payload        |
 * | 0x0000000C | "HELLO, WORLD" | ---> | "HELLO, WORLD" |
 * +------------+----------------+      +----------------+
 * }</pre>
 *
 * <p>A header with a magic number, and a length that counts the whole frame:
 *
 * <pre>{@code
 * FrameFormat format =
 *     FrameFormat.builder()
 *         .beforeLength((byte) 0xCA, (byte) 0xFE)
 *         .lengthFieldLength(2)
 *         .lengthAdjustment(-4)
 *         .maxFrameLength(16 * 1024)
 *         .build();
 * }</pre>
 *
 * <pre>{@code
 *                 ON THE WIRE                           DECODED
 * +---------------+--------+----------------+      +----------------+
 * | before length | length | payload        |      | payload        |
 * | 0xCAFE        | 0x0010 | "HELLO, WORLD" | ---> | "HELLO, WORLD" |
 * +---------------+--------+----------------+      +----------------+
 * }</pre>
 *
 * <p>A header with a type before the length, kept with {@code initialBytesToStrip(0)}:
 *
 * <pre>{@code
 *                 ON THE WIRE                                        DECODED
 * +---------------+--------+----------------+      +---------------+--------+----------------+
 * | before length | length | payload        |      | before length | length | payload        |
 * | 0x??          | 0x000C | "HELLO, WORLD" | ---> | 0x??          | 0x000C | "HELLO, WORLD" |
 * +---------------+--------+----------------+      +---------------+--------+----------------+
 * }</pre>
 *
 * <p><b>Kept and stripped bytes.</b> The first {@code initialBytesToStrip} bytes of a frame are not
 * delivered; the trailer is never delivered. An encoder writes the stripped bytes: it computes the
 * length, and the others must be constant ({@link Builder#beforeLength}, {@link
 * Builder#afterLength}). It takes the kept bytes of the header from the frame to be encoded and
 * overwrites the length there; a length of variable width must already be correct. So {@code
 * encode(decode(wire)) == wire} and {@code decode(encode(frame)) == frame}. A format that strips
 * bytes which are not constant can only decode; {@link #whyNotEncodable()} returns the reason.
 *
 * <p><b>The settings in other libraries.</b>
 *
 * <table>
 * <caption>This class uses Netty's names; tokio-util's names are next to them</caption>
 *   <tr><th>here and in Netty</th><th>tokio-util</th><th>how they map</th></tr>
 *   <tr><td>{@code lengthFieldOffset}</td><td>{@code length_field_offset}</td><td>the
 *   same</td></tr>
 *   <tr><td>{@code lengthFieldLength}</td><td>{@code length_field_length}</td><td>the same; every
 *       width from 1 to 8</td></tr>
 *   <tr><td>{@code byteOrder}</td><td>{@code big_endian}, {@code little_endian}</td><td>the
 *       same</td></tr>
 *   <tr><td>{@code lengthAdjustment}</td><td>{@code length_adjustment}</td><td>there it is relative
 *       to the skipped bytes, here to the end of the length field: {@code lengthAdjustment =
 *       length_adjustment + num_skip - lengthFieldOffset - lengthFieldLength}</td></tr>
 *   <tr><td>{@code initialBytesToStrip}</td><td>{@code num_skip}</td><td>the same; the default is
 *       tokio-util's (offset and length), Netty's is 0</td></tr>
 *   <tr><td>{@code maxFrameLength}</td><td>{@code max_frame_length}</td><td>here it limits the
 *       payload after the adjustment; tokio-util checks it before the adjustment, Netty counts the
 *       header too</td></tr>
 * </table>
 *
 * <p>Differences by design: Netty supports only the widths 1, 2, 3, 4 and 8, reads eight bytes as a
 * signed integer, and detects a strip that is longer than a frame only while decoding; here {@link
 * Builder#build()} rejects it. tokio-util clips a limit that the field cannot hold; here it is
 * rejected.
 */
public final class FrameFormat {
  /** The default of {@link #maxFrameLength()}: 8 MiB. */
  public static final int DEFAULT_MAX_FRAME_LENGTH = 8 * 1024 * 1024;

  private final Builder settings;
  private final FormatGeometry geometry;

  private FrameFormat(Builder settings) {
    this.settings = settings.copy();
    this.geometry = FormatGeometry.of(this.settings);
  }

  /** Returns the default format: a big-endian length of four bytes, at most 8 MiB. */
  public static FrameFormat defaults() {
    return builder().build();
  }

  /** Returns a builder with the default settings. */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Returns the format that protobuf's {@code writeDelimitedTo} writes: a {@link
   * LengthEncoding#varint32() varint} before each message.
   */
  public static FrameFormat protobufDelimited() {
    return builder().lengthEncoding(LengthEncoding.varint32()).build();
  }

  /**
   * Returns octet counting for syslog over TCP, {@code 5 hello} (RFC 6587, section 3.4.1). A
   * message has at least one byte in this format.
   */
  public static FrameFormat octetCountedSyslog() {
    return builder().lengthEncoding(new AsciiDecimal(' ', 1)).build();
  }

  /** Returns the format of netstrings, {@code 5:hello,} (D. J. Bernstein, Netstrings, 1997). */
  public static FrameFormat netstring() {
    return builder()
        .lengthEncoding(LengthEncoding.asciiDecimal(':'))
        .lengthAdjustment(1)
        .trailer((byte) ',')
        .build();
  }

  /** Returns the format of DNS over TCP: a length of two bytes (RFC 7766, section 8). */
  public static FrameFormat dnsOverTcp() {
    return builder().lengthFieldLength(2).maxFrameLength(0xFFFF).build();
  }

  /** Returns TPKT: version 3, zero, a length of two bytes that counts the header (RFC 1006, 6). */
  public static FrameFormat tpkt() {
    return builder()
        .beforeLength((byte) 3, (byte) 0)
        .lengthFieldLength(2)
        .lengthAdjustment(-4)
        .maxFrameLength(0xFFFF - 4)
        .build();
  }

  /** Returns a builder with this format's settings. */
  public Builder toBuilder() {
    return settings.copy();
  }

  /** Returns the number of bytes before the length field. */
  public int lengthFieldOffset() {
    return geometry.offset;
  }

  /** Returns the width of the length field in bytes, or 0 if it varies. */
  public int lengthFieldLength() {
    return geometry.width;
  }

  /** Returns the byte order of the length field; big-endian if the encoding has no byte order. */
  public ByteOrder byteOrder() {
    return settings.byteOrder;
  }

  /** Returns the encoding of the length field, by default an integer of fixed width. */
  public LengthEncoding lengthEncoding() {
    return geometry.encoding;
  }

  /** Returns the number to add to the length to get the number of bytes after the length field. */
  public int lengthAdjustment() {
    return settings.lengthAdjustment;
  }

  /** Returns how many first bytes are not delivered, or -1 for a header of variable width. */
  public int initialBytesToStrip() {
    return geometry.strip;
  }

  /** Returns the maximum payload length in bytes, after the adjustment. */
  public int maxFrameLength() {
    return geometry.maxFrameLength;
  }

  /** Returns a copy of the constant bytes at the start of the frame. */
  public byte[] beforeLength() {
    return geometry.before.clone();
  }

  /** Returns a copy of the constant bytes after the length field. */
  public byte[] afterLength() {
    return geometry.after.clone();
  }

  /** Returns a copy of the constant bytes at the end of the frame. */
  public byte[] trailer() {
    return geometry.trailer.clone();
  }

  /** Returns why this format cannot encode, or empty if it can. */
  public Optional<String> whyNotEncodable() {
    return Optional.ofNullable(geometry.whyNotEncodable);
  }

  /**
   * Draws the layout of a frame as text. The payload is {@code HELLO, WORLD}, cut to {@link
   * #maxFrameLength()}; {@code ??} is a byte of the header that the format does not define. The
   * drawings above were made by this method.
   */
  public String diagram() {
    return FrameDiagram.of(this);
  }

  FormatGeometry geometry() {
    return geometry;
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof FrameFormat that && geometry.sameAs(that.geometry);
  }

  @Override
  public int hashCode() {
    return geometry.hash();
  }

  /** Lists the settings, except those that are not set. */
  @Override
  public String toString() {
    return FrameDiagram.settings(this);
  }

  /** Collects the settings of a {@link FrameFormat}. Not safe for use by several threads. */
  public static final class Builder {
    @Nullable
    Integer lengthFieldOffset;

    @Nullable
    Integer lengthFieldLength;

    ByteOrder byteOrder = ByteOrder.BIG_ENDIAN;

    @Nullable
    LengthEncoding lengthEncoding;

    int lengthAdjustment;

    @Nullable
    Integer initialBytesToStrip;

    @Nullable
    Integer maxFrameLength;

    byte[] beforeLength = Bytes.NONE;
    byte[] afterLength = Bytes.NONE;
    byte[] trailer = Bytes.NONE;

    private Builder() {}

    /**
     * Sets the number of bytes before the length field (tokio-util: {@code length_field_offset}).
     * The default is the number of {@link #beforeLength} bytes.
     */
    public Builder lengthFieldOffset(int lengthFieldOffset) {
      this.lengthFieldOffset = Check.notNegative(lengthFieldOffset, "lengthFieldOffset");
      return this;
    }

    /**
     * Sets the width in bytes of the length field, an unsigned integer: from 1 to 8, 4 by default
     * (tokio-util: {@code length_field_length}).
     */
    public Builder lengthFieldLength(int lengthFieldLength) {
      this.lengthFieldLength = Check.within(lengthFieldLength, 1, 8, "lengthFieldLength");
      return this;
    }

    /** Sets the byte order of the length field, big-endian by default. */
    public Builder byteOrder(ByteOrder byteOrder) {
      this.byteOrder = Objects.requireNonNull(byteOrder, "byteOrder");
      return this;
    }

    /**
     * Sets an encoding for lengths that are not integers of fixed width. It cannot be combined with
     * {@link #lengthFieldLength} or a little-endian {@link #byteOrder}.
     */
    public Builder lengthEncoding(LengthEncoding lengthEncoding) {
      this.lengthEncoding = Objects.requireNonNull(lengthEncoding, "lengthEncoding");
      return this;
    }

    /**
     * Sets the number to add to the length to get the number of bytes after the length field, 0 by
     * default. It is negative if the length counts header bytes too, and positive if the length
     * does not count all bytes after the length field (tokio-util: {@code length_adjustment},
     * relative to the skipped bytes).
     */
    public Builder lengthAdjustment(int lengthAdjustment) {
      this.lengthAdjustment = lengthAdjustment;
      return this;
    }

    /**
     * Sets how many bytes at the start of the frame are not delivered (tokio-util: {@code
     * num_skip}). The default is the header: offset, length and {@link #afterLength} bytes. With a
     * length of variable width it must be unset, or at most the offset.
     */
    public Builder initialBytesToStrip(int initialBytesToStrip) {
      this.initialBytesToStrip = Check.notNegative(initialBytesToStrip, "initialBytesToStrip");
      return this;
    }

    /**
     * Sets the maximum payload length in bytes, after the adjustment, for both directions
     * (tokio-util: {@code max_frame_length}, before the adjustment). The payload starts after the
     * header and does not include the trailer. The default is 8 MiB, or the maximum of the length
     * field if that is less.
     */
    public Builder maxFrameLength(int maxFrameLength) {
      this.maxFrameLength = Check.positive(maxFrameLength, "maxFrameLength");
      return this;
    }

    /**
     * Sets constant bytes at the start of the frame, such as a magic number, at most {@link
     * #lengthFieldOffset} of them. They are written when encoding, checked when decoding. The array
     * is copied.
     */
    public Builder beforeLength(byte... constant) {
      this.beforeLength = Objects.requireNonNull(constant, "constant").clone();
      return this;
    }

    /**
     * Sets constant bytes directly after the length field, such as a version. They are written when
     * encoding and checked when decoding. The adjusted length counts them. The array is copied.
     */
    public Builder afterLength(byte... constant) {
      this.afterLength = Objects.requireNonNull(constant, "constant").clone();
      return this;
    }

    /**
     * Sets constant bytes at the end of the frame, such as a netstring's comma. They are written
     * when encoding, checked when decoding, and never delivered. The adjusted length counts them.
     * The array is copied.
     */
    public Builder trailer(byte... constant) {
      this.trailer = Objects.requireNonNull(constant, "constant").clone();
      return this;
    }

    /**
     * Builds the format.
     *
     * @throws IllegalStateException if settings contradict each other; the message has the numbers
     */
    public FrameFormat build() {
      return new FrameFormat(this);
    }

    private Builder copy() {
      Builder copy = new Builder();
      copy.lengthFieldOffset = lengthFieldOffset;
      copy.lengthFieldLength = lengthFieldLength;
      copy.byteOrder = byteOrder;
      copy.lengthEncoding = lengthEncoding;
      copy.lengthAdjustment = lengthAdjustment;
      copy.initialBytesToStrip = initialBytesToStrip;
      copy.maxFrameLength = maxFrameLength;
      copy.beforeLength = Arrays.copyOf(beforeLength, beforeLength.length);
      copy.afterLength = Arrays.copyOf(afterLength, afterLength.length);
      copy.trailer = Arrays.copyOf(trailer, trailer.length);
      return copy;
    }
  }
}
