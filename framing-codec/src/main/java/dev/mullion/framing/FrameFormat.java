package dev.mullion.framing;

import dev.mullion.net.base.Check;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The wire format of a frame, as one immutable value for both directions. Every reader, writer,
 * codec, server and client takes it.
 *
 * <p>A frame is a header, a payload and sometimes a trailer. The header is what comes up to the
 * payload: {@code lengthFieldOffset} bytes, the length field, and constant or stripped bytes behind
 * it. The length, with {@code lengthAdjustment} added to it, counts all that follows the length
 * field. With every part, and a {@code lengthAdjustment} of 2 for the two constant bytes that this
 * length leaves out:
 *
 * <pre>{@code
 *                             ON THE WIRE                                        DECODED
 * +---------------+--------+--------------+----------------+---------+      +----------------+
 * | before length | length | after length | payload        | trailer |      | payload        |
 * | 0xCA          | 0x000C | 0x01         | "HELLO, WORLD" | 0x0A    | ---> | "HELLO, WORLD" |
 * +---------------+--------+--------------+----------------+---------+      +----------------+
 * }</pre>
 *
 * <p>By default the length is a big-endian integer of four bytes that counts the payload, and the
 * payload alone is delivered:
 *
 * <pre>{@code
 *           ON THE WIRE                     DECODED
 * +------------+----------------+      +----------------+
 * | length     | payload        |      | payload        |
 * | 0x0000000C | "HELLO, WORLD" | ---> | "HELLO, WORLD" |
 * +------------+----------------+      +----------------+
 * }</pre>
 *
 * <p>A header with a magic, and a length that counts the whole frame:
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
 * <p><b>What is kept and what is stripped.</b> {@code initialBytesToStrip} bytes from the start of
 * the frame are not delivered; a trailer never is. An encoder writes the stripped bytes itself: the
 * length it knows, the rest must be constant ({@link Builder#beforeLength}, {@link
 * Builder#afterLength}). Bytes of the header that are kept are taken from the frame that is
 * encoded, and the length is filled in over whatever stood there; a length of variable width must
 * already be right. So {@code encode(decode(wire)) == wire} and {@code decode(encode(frame)) ==
 * frame}. A format that strips bytes which nothing knows how to write still decodes; {@link
 * #whyNotEncodable()} then says why it cannot encode.
 *
 * <p><b>The settings in other libraries.</b>
 *
 * <table>
 *   <caption>Netty's names are used here; tokio-util's are beside them</caption>
 *   <tr><th>here and in Netty</th><th>tokio-util</th><th>how they map</th></tr>
 *   <tr><td>{@code lengthFieldOffset}</td><td>{@code length_field_offset}</td><td>the
 *   same</td></tr>
 *   <tr><td>{@code lengthFieldLength}</td><td>{@code length_field_length}</td><td>the same; every
 *       width from 1 to 8</td></tr>
 *   <tr><td>{@code byteOrder}</td><td>{@code big_endian}, {@code little_endian}</td><td>the
 *       same</td></tr>
 *   <tr><td>{@code lengthAdjustment}</td><td>{@code length_adjustment}</td><td>there it is added to
 *       find what follows the skipped bytes, here to find what follows the length field:
 *       {@code lengthAdjustment = length_adjustment + num_skip - lengthFieldOffset -
 *       lengthFieldLength}</td></tr>
 *   <tr><td>{@code initialBytesToStrip}</td><td>{@code num_skip}</td><td>the same; the default is
 *       tokio-util's (offset and length), Netty's is 0</td></tr>
 *   <tr><td>{@code maxFrameLength}</td><td>{@code max_frame_length}</td><td>here it bounds the
 *       payload after the adjustment; tokio-util checks before it, Netty counts the header
 *       too</td></tr>
 * </table>
 *
 * <p>Differences by design: Netty knows the widths 1, 2, 3, 4 and 8 only, takes eight bytes as
 * signed, and finds a strip that is longer than a frame while decoding; here {@link
 * Builder#build()} refuses it. tokio-util clips a limit that the field cannot hold; here it is
 * refused.
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

  /** Returns the default format: four bytes of big-endian length, 8 MiB at most. */
  public static FrameFormat defaults() {
    return builder().build();
  }

  /** Returns a builder that holds the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Returns the stream of messages that protobuf's {@code writeDelimitedTo} writes: a {@link
   * LengthEncoding#varint32() varint} before each message.
   */
  public static FrameFormat protobufDelimited() {
    return builder().lengthEncoding(LengthEncoding.varint32()).build();
  }

  /**
   * Returns octet counting for syslog over TCP, {@code 5 hello} (RFC 6587, section 3.4.1). A
   * message has at least one byte there.
   */
  public static FrameFormat octetCountedSyslog() {
    return builder().lengthEncoding(new AsciiDecimal(' ', 1)).build();
  }

  /** Returns netstrings, {@code 5:hello,} (D. J. Bernstein, Netstrings, 1997). */
  public static FrameFormat netstring() {
    return builder()
        .lengthEncoding(LengthEncoding.asciiDecimal(':'))
        .lengthAdjustment(1)
        .trailer((byte) ',')
        .build();
  }

  /** Returns DNS messages over TCP: two bytes of length (RFC 7766, section 8). */
  public static FrameFormat dnsOverTcp() {
    return builder().lengthFieldLength(2).maxFrameLength(0xFFFF).build();
  }

  /** Returns TPKT: version 3, a zero byte, two bytes of length with the header (RFC 1006, 6). */
  public static FrameFormat tpkt() {
    return builder()
        .beforeLength((byte) 3, (byte) 0)
        .lengthFieldLength(2)
        .lengthAdjustment(-4)
        .maxFrameLength(0xFFFF - 4)
        .build();
  }

  /** Returns a builder that holds this format's settings. */
  public Builder toBuilder() {
    return settings.copy();
  }

  /** Returns how many bytes stand before the length field. */
  public int lengthFieldOffset() {
    return geometry.offset;
  }

  /** Returns the bytes of the length field, or 0 if its width varies. */
  public int lengthFieldLength() {
    return geometry.width;
  }

  /** Returns the byte order of the length field; big-endian for encodings that have none. */
  public ByteOrder byteOrder() {
    return settings.byteOrder;
  }

  /** Returns what the length field holds: an integer of fixed width, unless another was set. */
  public LengthEncoding lengthEncoding() {
    return geometry.encoding;
  }

  /** Returns what to add to the length to have the number of bytes that follow the length field. */
  public int lengthAdjustment() {
    return settings.lengthAdjustment;
  }

  /** Returns how many bytes of the frame are not delivered, or -1: a header of variable width. */
  public int initialBytesToStrip() {
    return geometry.strip;
  }

  /** Returns the longest payload in bytes, after the adjustment. */
  public int maxFrameLength() {
    return geometry.maxFrameLength;
  }

  /** Returns a copy of the constant bytes at the start of the frame. */
  public byte[] beforeLength() {
    return geometry.before.clone();
  }

  /** Returns a copy of the constant bytes behind the length field. */
  public byte[] afterLength() {
    return geometry.after.clone();
  }

  /** Returns a copy of the constant bytes at the end of the frame. */
  public byte[] trailer() {
    return geometry.trailer.clone();
  }

  /** Returns why no encoder can be made for this format, or empty if one can. */
  public Optional<String> whyNotEncodable() {
    return Optional.ofNullable(geometry.whyNotEncodable);
  }

  /**
   * Draws the layout of a frame as text, with {@code HELLO, WORLD} as its payload, or as much of
   * that as {@link #maxFrameLength()} allows; {@code ??} is a byte of the header that the format
   * does not fix. The pictures above were drawn by it.
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

  /** Names the settings, those that are not set left out. */
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
     * Sets how many bytes stand before the length field (tokio-util: {@code length_field_offset}).
     * The default is the number of {@link #beforeLength} bytes, and so 0 without any.
     */
    public Builder lengthFieldOffset(int lengthFieldOffset) {
      this.lengthFieldOffset = Check.notNegative(lengthFieldOffset, "lengthFieldOffset");
      return this;
    }

    /**
     * Sets the width of the length field in bytes, from 1 to 8, as an unsigned integer; 4 by
     * default (tokio-util: {@code length_field_length}).
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
     * Sets a length that is not an integer of fixed width. It excludes {@link #lengthFieldLength}
     * and a little-endian {@link #byteOrder}.
     */
    public Builder lengthEncoding(LengthEncoding lengthEncoding) {
      this.lengthEncoding = Objects.requireNonNull(lengthEncoding, "lengthEncoding");
      return this;
    }

    /**
     * Sets what to add to the length to have the number of bytes that follow the length field, 0 by
     * default: negative where the length counts header bytes, positive where it leaves bytes behind
     * the length field out (tokio-util: {@code length_adjustment}, counted from the skipped bytes).
     */
    public Builder lengthAdjustment(int lengthAdjustment) {
      this.lengthAdjustment = lengthAdjustment;
      return this;
    }

    /**
     * Sets how many bytes from the start of the frame are not delivered; by default the header:
     * offset, length and {@link #afterLength} bytes (tokio-util: {@code num_skip}). With a length
     * of variable width it may be at most the offset, or left alone.
     */
    public Builder initialBytesToStrip(int initialBytesToStrip) {
      this.initialBytesToStrip = Check.notNegative(initialBytesToStrip, "initialBytesToStrip");
      return this;
    }

    /**
     * Sets the longest payload in bytes, after the adjustment, for both directions (tokio-util:
     * {@code max_frame_length}, before it). The payload is what follows the header, without the
     * trailer. The default is 8 MiB, or what the length field can say if that is less.
     */
    public Builder maxFrameLength(int maxFrameLength) {
      this.maxFrameLength = Check.positive(maxFrameLength, "maxFrameLength");
      return this;
    }

    /**
     * Sets constant bytes at the start of the frame, such as a magic: written when encoding,
     * checked when decoding. At most {@link #lengthFieldOffset} of them. They are copied.
     */
    public Builder beforeLength(byte... constant) {
      this.beforeLength = Objects.requireNonNull(constant, "constant").clone();
      return this;
    }

    /**
     * Sets constant bytes straight behind the length field, such as a version: written when
     * encoding, checked when decoding. They are among the bytes that the length and its adjustment
     * count. They are copied.
     */
    public Builder afterLength(byte... constant) {
      this.afterLength = Objects.requireNonNull(constant, "constant").clone();
      return this;
    }

    /**
     * Sets constant bytes at the end of the frame, such as a netstring's comma: written when
     * encoding, checked when decoding, never delivered. They are among the bytes that the length
     * and its adjustment count. They are copied.
     */
    public Builder trailer(byte... constant) {
      this.trailer = Objects.requireNonNull(constant, "constant").clone();
      return this;
    }

    /**
     * Makes the format.
     *
     * @throws IllegalStateException if settings contradict each other; the text has the numbers
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
