package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameEncoder;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramingException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Encoded frames in transit to the event loop. Short frames share a chunk; long frames given as a
 * {@code ByteBuf} are not copied. Guarded by the lock of its {@link Outbound}.
 */
final class SendBuffer {
  private static final int CHUNK_SIZE = 16 * 1024;

  /** Longer frames given as a {@code ByteBuf} are not copied. */
  private static final int MAX_COPIED = 4 * 1024;

  private final ByteBufAllocator allocator;
  private final ConnectionSettings settings;
  private final @Nullable SocketAddress peer;
  private @Nullable FrameEncoder encoder;

  /**
   * The current format, if frames must be encoded before the lock is taken; any thread may read it.
   */
  private volatile @Nullable FrameFormat ahead;

  private @Nullable ByteBuf chunk;
  private List<ByteBuf> full = List.of();

  SendBuffer(
      ByteBufAllocator allocator, ConnectionSettings settings, @Nullable SocketAddress peer) {
    this.allocator = allocator;
    this.peer = peer;
    this.settings = settings;
    ahead = EncodedAhead.isNeeded(settings.format()) ? settings.format() : null;
  }

  static int length(Object frame) {
    return frame instanceof byte[] bytes
        ? bytes.length
        : frame instanceof ByteBuffer buffer
            ? buffer.remaining()
            : frame instanceof EncodedAhead encoded
                ? encoded.length()
                : ((ByteBuf) frame).readableBytes();
  }

  /** Creates an encoder, for a caller without the lock. */
  FrameEncoder newEncoder(FrameFormat format) {
    return FrameEncoder.of(format, settings.totals().frames(), peer);
  }

  /** Switches to another format from the next frame on. */
  void use(FrameEncoder next) {
    encoder = next;
    ahead = EncodedAhead.isNeeded(next.format()) ? next.format() : null;
  }

  /**
   * Returns the current format if frames must be encoded before the lock is taken, or {@code null}.
   * Any thread may call it, and calls it again under the lock.
   */
  @Nullable
  FrameFormat ahead() {
    return ahead;
  }

  /** Encodes a frame without the lock; the caller keeps the frame. */
  EncodedAhead encodeAhead(Object frame, FrameFormat format, boolean copies)
      throws FramingException {
    FrameEncoder with = newEncoder(format);
    return new EncodedAhead(with, encode(frame, with, allocator, copies), length(frame));
  }

  private FrameEncoder encoder() {
    FrameEncoder present = encoder;
    if (present == null) {
      present = newEncoder(settings.format());
      encoder = present;
    }
    return present;
  }

  /** Encodes a frame; the caller keeps it. Returns its bytes on the wire. */
  int add(Object frame) throws FramingException {
    if (frame instanceof EncodedAhead encoded) {
      return addEncoded(encoded.take());
    }
    FrameEncoder with = encoder();
    int bytes;
    if (frame instanceof ByteBuf buf && buf.readableBytes() > MAX_COPIED) {
      ByteBuf whole = with.encode(buf.retain(), allocator).content();
      addWhole(whole);
      bytes = whole.readableBytes();
    } else {
      bytes = copy(frame, chunkWithRoom(length(frame) + with.maxOverhead()), with);
    }
    with.report();
    return bytes;
  }

  /** Encodes a copy of a frame of any length. Returns its bytes on the wire. */
  int addCopy(Object frame) throws FramingException {
    if (frame instanceof EncodedAhead encoded) {
      return addEncoded(encoded.take());
    }
    FrameEncoder with = encoder();
    int bytes = copy(frame, chunkWithRoom(length(frame) + with.maxOverhead()), with);
    with.report();
    return bytes;
  }

  /**
   * Copies a few bytes into a buffer of their size: many such buffers may be in transit at once.
   */
  void compact() {
    ByteBuf present = chunk;
    if (present != null && present.readableBytes() < present.capacity() / 2) {
      ByteBuf small = allocator.ioBuffer(present.readableBytes()).writeBytes(present);
      present.release();
      close(small);
      chunk = null;
    }
  }

  /** Encodes a frame separately, on the heap if it is copied; the caller keeps the frame. */
  ByteBuf encode(Object frame) throws FramingException {
    if (frame instanceof EncodedAhead encoded) {
      return encoded.take();
    }
    FrameEncoder with = encoder();
    ByteBuf encoded = encode(frame, with, allocator, false);
    with.report();
    return encoded;
  }

  private static ByteBuf encode(
      Object frame, FrameEncoder with, ByteBufAllocator allocator, boolean copies)
      throws FramingException {
    if (!copies && frame instanceof ByteBuf buf && buf.readableBytes() > MAX_COPIED) {
      return with.encode(buf.retain(), allocator).content();
    }
    ByteBuf encoded = Unpooled.buffer(length(frame) + with.maxOverhead());
    copy(frame, encoded, with);
    return encoded;
  }

  /** Takes over an encoded frame. Returns its bytes on the wire. */
  int addEncoded(ByteBuf encoded) {
    int bytes = encoded.readableBytes();
    if (bytes > MAX_COPIED) {
      addWhole(encoded);
    } else {
      chunkWithRoom(bytes).writeBytes(encoded);
      encoded.release();
    }
    return bytes;
  }

  private void addWhole(ByteBuf whole) {
    closeChunk();
    close(whole);
  }

  private static int copy(Object frame, ByteBuf out, FrameEncoder with) throws FramingException {
    int start = out.writerIndex();
    if (frame instanceof byte[] bytes) {
      with.encode(bytes, out);
    } else if (frame instanceof ByteBuffer buffer) {
      with.encode(buffer, out);
    } else {
      ByteBuf buf = (ByteBuf) frame;
      with.encode(buf, buf.readerIndex(), buf.readableBytes(), out);
    }
    return out.writerIndex() - start;
  }

  private ByteBuf chunkWithRoom(int length) {
    ByteBuf present = chunk;
    if (present != null && present.writableBytes() >= length) {
      return present;
    }
    closeChunk();
    ByteBuf made = allocator.ioBuffer(Math.max(CHUNK_SIZE, length));
    chunk = made;
    return made;
  }

  private void close(ByteBuf buffer) {
    if (full.isEmpty()) {
      full = new ArrayList<>();
    }
    full.add(buffer);
  }

  private void closeChunk() {
    if (chunk != null) {
      close(chunk);
      chunk = null;
    }
  }

  /** Whether there is nothing to hand over. */
  boolean isEmpty() {
    return chunk == null && full.isEmpty();
  }

  /** Hands over everything. */
  List<ByteBuf> take() {
    closeChunk();
    List<ByteBuf> ready = full;
    full = List.of();
    return ready;
  }
}
