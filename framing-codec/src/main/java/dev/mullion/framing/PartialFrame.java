package dev.mullion.framing;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.CompositeByteBuf;
import java.util.ArrayList;
import java.util.List;

/**
 * The received bytes of one incomplete frame. Its memory is at most twice these bytes plus {@link
 * PartGrowth#SMALL}. A frame of moderate length is copied into one buffer, which grows with it: its
 * receiver can access it fast, and the buffers it came in are free again. Of a longer frame, long
 * pieces are kept in their buffers, short ones are copied into parts that grow with the frame, and
 * no byte is copied twice.
 */
final class PartialFrame {
  /** Frames up to this length are collected in one part, even if the length is only announced. */
  static final int SMALL = PartGrowth.SMALL;

  /** Frames up to this length are collected in one buffer. */
  static final int IN_ONE_PIECE = 256 * 1024;

  /** Shorter pieces of longer frames are copied. */
  private static final int MIN_KEPT_PIECE = 2 * 1024;

  private final ByteBufAllocator allocator;
  private final List<ByteBuf> parts = new ArrayList<>(4);
  private int size;
  private int wireLength;

  /** The capacity of the parts after the header. */
  private long held;

  /** The capacity of the part that was allocated for a header, or for the whole frame. */
  private int headCapacity;

  PartialFrame(ByteBufAllocator allocator) {
    this.allocator = allocator;
  }

  int size() {
    return size;
  }

  /** The capacity of all parts. */
  long held() {
    return held + headCapacity;
  }

  int wireLength() {
    return wireLength;
  }

  boolean isComplete() {
    return size == wireLength;
  }

  /** The first part; it contains the complete header. */
  ByteBuf head() {
    return parts.get(0);
  }

  /** Copies bytes of an incomplete header into the first part. */
  void addToHead(ByteBuf in, int length, int maxHeaderLength) {
    if (parts.isEmpty()) {
      parts.add(allocator.buffer(maxHeaderLength));
      headCapacity = head().capacity();
    }
    head().writeBytes(in, length);
    size += length;
  }

  /** Sets the length of the frame when its header is complete. */
  void wireLength(int length) {
    wireLength = length;
    if (length <= SMALL && !parts.isEmpty()) {
      head().ensureWritable(length - size);
      headCapacity = head().capacity();
    }
  }

  /** Adds the available bytes, up to the known length of the frame. */
  void add(ByteBuf in) {
    int length = Math.min(in.readableBytes(), wireLength - size);
    if (wireLength <= IN_ONE_PIECE) {
      bufferWithRoom(length).writeBytes(in, length);
      size += length;
      return;
    }
    int capacity = PartGrowth.capacityKept(in);
    if (length >= MIN_KEPT_PIECE && PartGrowth.fills(length, capacity)) {
      parts.add(in.readRetainedSlice(length));
      held += capacity;
    } else {
      copy(in, length);
    }
    size += length;
  }

  /** Returns the only part, with room for more bytes. */
  private ByteBuf bufferWithRoom(int length) {
    if (!parts.isEmpty() && head().writableBytes() >= length) {
      return head();
    }
    int capacity = Math.min(wireLength, Math.max(SMALL, 2 * (size + length)));
    ByteBuf grown = allocator.buffer(capacity);
    if (!parts.isEmpty()) {
      ByteBuf outgrown = parts.remove(0);
      grown.writeBytes(outgrown);
      outgrown.release();
    }
    parts.add(grown);
    headCapacity = grown.capacity();
    return grown;
  }

  private void copy(ByteBuf in, int length) {
    int missing = length;
    if (!parts.isEmpty()) {
      ByteBuf last = parts.get(parts.size() - 1);
      int copied = Math.min(missing, last.writableBytes());
      last.writeBytes(in, copied);
      missing -= copied;
    }
    if (missing > 0) {
      int had = size + length - missing;
      ByteBuf part = allocator.buffer(PartGrowth.capacityFor(missing, had, held, wireLength));
      held += part.capacity();
      parts.add(part);
      part.writeBytes(in, missing);
    }
  }

  /** Passes the bytes to the caller, who must release them. */
  ByteBuf take() {
    if (parts.size() == 1) {
      return head();
    }
    CompositeByteBuf whole = allocator.compositeBuffer(Integer.MAX_VALUE);
    return whole.addComponents(true, parts);
  }

  void release() {
    parts.forEach(ByteBuf::release);
  }
}
