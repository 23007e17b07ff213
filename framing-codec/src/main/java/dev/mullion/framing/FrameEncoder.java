package dev.mullion.framing;

import static java.util.Objects.checkFromIndexSize;
import static java.util.Objects.requireNonNull;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Encodes frames into buffers. It is for code that has its own transport. In a Netty pipeline, use
 * {@link LengthDelimitedCodec}; for blocking streams, use {@link FrameWriter}.
 *
 * <pre>{@code
 * FrameEncoder encoder = FrameEncoder.of(FrameFormat.defaults());
 * ByteBuf out = allocator.buffer();
 * encoder.encode("hello".getBytes(UTF_8), out);
 * encoder.encode("world".getBytes(UTF_8), out);
 * }</pre>
 *
 * <p>A frame is appended to the buffer, which grows as needed. If the frame is rejected, or does
 * not fit in a buffer that cannot grow, the buffer's writer index does not change. Not safe for use
 * by several threads at a time.
 */
public final class FrameEncoder {
  private final FrameFormat format;
  private final HeaderWriter header;
  private final @Nullable FrameCounters counters;
  private final boolean stripped;
  private final int overhead;
  private long frames;
  private long bytes;

  private FrameEncoder(
      FrameFormat format, @Nullable FrameCounters counters, @Nullable SocketAddress peer) {
    this.format = format;
    this.counters = counters;
    header = new HeaderWriter(format, peer);
    stripped = header.headerIsStripped();
    overhead = header.maxHeaderLength() + header.trailer().length;
  }

  /**
   * Returns an encoder without counters.
   *
   * @throws IllegalStateException if the format can only decode
   */
  public static FrameEncoder of(FrameFormat format) {
    return new FrameEncoder(requireNonNull(format, "format"), null, null);
  }

  /**
   * Returns an encoder whose frames are added to the counters when {@link #report} is called.
   *
   * @param counters the counters of its frames, which may be shared
   * @param peer the address for error messages, or {@code null} for none
   * @throws IllegalStateException if the format can only decode
   */
  public static FrameEncoder of(
      FrameFormat format, FrameCounters counters, @Nullable SocketAddress peer) {
    requireNonNull(format, "format");
    return new FrameEncoder(format, requireNonNull(counters, "counters"), peer);
  }

  /** Returns the format. */
  public FrameFormat format() {
    return format;
  }

  /** Returns the maximum number of bytes around a payload: those of the header and the trailer. */
  public int maxOverhead() {
    return overhead;
  }

  /**
   * Encodes a frame, given as the bytes that a {@link FrameDecoder} of the same format delivers.
   *
   * @throws FrameTooLargeException if the payload exceeds {@link FrameFormat#maxFrameLength()}
   * @throws CorruptFrameException if header bytes that the format keeps are missing or wrong
   */
  public void encode(byte[] frame, ByteBuf out) throws FramingException {
    int start = out.writerIndex();
    boolean whole = false;
    try {
      ByteBuffer seen = stripped ? null : ByteBuffer.wrap(frame);
      int inHeader = writeHeader(seen, frame.length, out);
      writeTrailer(out.writeBytes(frame, inHeader, frame.length - inHeader));
      whole = true;
    } finally {
      settle(out, start, whole);
    }
  }

  /**
   * Encodes a frame from a buffer's position to its limit, and moves the position to the limit. The
   * position does not move if this method fails.
   *
   * @throws FrameTooLargeException if the payload exceeds {@link FrameFormat#maxFrameLength()}
   * @throws CorruptFrameException if header bytes that the format keeps are missing or wrong
   */
  public void encode(ByteBuffer frame, ByteBuf out) throws FramingException {
    int start = out.writerIndex();
    int position = frame.position();
    boolean whole = false;
    try {
      int inHeader = writeHeader(frame, frame.remaining(), out);
      writeTrailer(out.writeBytes(frame.position(position + inHeader)));
      whole = true;
    } finally {
      settle(out, start, whole);
      if (!whole) {
        frame.position(position);
      }
    }
  }

  /**
   * Encodes a frame that is part of a buffer. The buffer is not released or changed.
   *
   * @throws FrameTooLargeException if the payload exceeds {@link FrameFormat#maxFrameLength()}
   * @throws CorruptFrameException if header bytes that the format keeps are missing or wrong
   */
  public void encode(ByteBuf frame, int index, int length, ByteBuf out) throws FramingException {
    if (header.isPlain(out) && out.writableBytes() - Integer.BYTES >= length) {
      encodePlain(frame, index, length, out);
      return;
    }
    checkFromIndexSize(index, length, frame.capacity());
    int start = out.writerIndex();
    boolean whole = false;
    try {
      int inHeader = writeHeader(seen(frame, index, length), length, out);
      writeTrailer(out.writeBytes(frame, index + inHeader, length - inHeader));
      whole = true;
    } finally {
      settle(out, start, whole);
    }
  }

  /** The fast path for the most common format. */
  private void encodePlain(ByteBuf frame, int index, int length, ByteBuf out)
      throws FramingException {
    int start = out.writerIndex();
    int payload = start + Integer.BYTES;
    try {
      header.writePlain(length, out, start);
    } catch (FramingException e) {
      refused();
      throw e;
    }
    out.setBytes(payload, frame, index, length).writerIndex(payload + length);
    count(Integer.BYTES + length);
  }

  /**
   * Encodes the readable bytes of a buffer as one frame, without copying the payload. This method
   * takes ownership of the buffer, even if it fails.
   *
   * @param allocator allocates the buffer for the header and the trailer
   * @return one frame, for a single write
   * @throws FrameTooLargeException if the payload exceeds {@link FrameFormat#maxFrameLength()}
   * @throws CorruptFrameException if header bytes that the format keeps are missing or wrong
   */
  public EncodedFrames encode(ByteBuf frame, ByteBufAllocator allocator) throws FramingException {
    ByteBuf around = null;
    boolean whole = false;
    try {
      OutboundFrames.checkNotReleased(frame);
      int length = frame.readableBytes();
      around = allocator.ioBuffer(maxOverhead());
      frame.skipBytes(writeHeader(seen(frame, frame.readerIndex(), length), length, around));
      int headerLength = around.readableBytes();
      around.writeBytes(header.trailer());
      count(around.readableBytes() + frame.readableBytes());
      whole = true;
      return new EncodedFrames(OutboundFrames.join(around, headerLength, frame, allocator), 1);
    } finally {
      if (around != null) {
        around.release();
      }
      if (!whole) {
        refused();
        // If the frame had already been released, that is why this failed.
        if (frame.refCnt() > 0) {
          frame.release();
        }
      }
    }
  }

  /** Returns the frame's first bytes, which may contain header bytes, or null if none are kept. */
  private @Nullable ByteBuffer seen(ByteBuf frame, int index, int length) {
    if (stripped) {
      return null;
    }
    return frame.nioBuffer(index, Math.min(length, header.maxHeaderLength()));
  }

  /** Writes a header; returns how many of the frame's bytes belong to it. */
  private int writeHeader(@Nullable ByteBuffer seen, int length, ByteBuf out)
      throws FramingException {
    int most = header.maxHeaderLength();
    if (out.maxWritableBytes() >= most && out.ensureWritable(most).nioBufferCount() == 1) {
      return header.write(seen, length, out);
    }
    // A header of variable width may still fit, and a composite buffer has no single memory region.
    ByteBuf apart = Unpooled.buffer(most);
    int inHeader = header.write(seen, length, apart);
    out.writeBytes(apart);
    return inHeader;
  }

  private void writeTrailer(ByteBuf out) {
    byte[] trailer = header.trailer();
    if (trailer.length > 0) {
      out.writeBytes(trailer);
    }
  }

  private void settle(ByteBuf out, int start, boolean whole) {
    if (whole) {
      count(out.writerIndex() - start);
    } else {
      out.writerIndex(start);
      refused();
    }
  }

  private void count(int wireLength) {
    frames++;
    bytes += wireLength;
  }

  private void refused() {
    if (counters != null) {
      counters.framesRefused.increment();
    }
  }

  /** Adds the frames encoded since the last call to the counters, if this encoder has counters. */
  public void report() {
    if (counters != null && frames > 0) {
      counters.framesEncoded.add(frames);
      counters.bytesEncoded.add(bytes);
    }
    frames = 0;
    bytes = 0;
  }
}
