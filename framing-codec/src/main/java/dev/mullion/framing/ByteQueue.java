package dev.mullion.framing;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.CompositeByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Received bytes that wait to be decoded, in parts. Short pieces are copied into parts that grow
 * with the number of bytes, so that the memory is at most twice the bytes plus {@link
 * PartGrowth#SMALL}. Only the first buffer may hold more, until it is {@link #tighten tightened}.
 */
final class ByteQueue {
  /** Shorter pieces are copied. */
  private static final int MIN_KEPT_PIECE = 1024;

  /** A buffer that wastes at most this is not copied. */
  private static final int MAX_SPARE = 512;

  /**
   * A received buffer, or one allocated here, to which more bytes may be appended.
   *
   * @param capacity the memory that is freed with it
   */
  private record Part(ByteBuf bytes, int capacity, boolean own) {
    boolean isWasteful(int spare) {
      return capacity > 2L * bytes.readableBytes() + spare;
    }
  }

  private final Deque<Part> parts = new ArrayDeque<>(4);
  private long size;
  private long held;

  long size() {
    return size;
  }

  /** The capacity of all parts. */
  long held() {
    return held;
  }

  /**
   * Takes ownership of a buffer with its readable bytes.
   *
   * @param expected the likely final size, which limits new parts; more may arrive
   */
  void add(ByteBuf bytes, long expected) {
    boolean kept = false;
    try {
      if (bytes.isReadable()) {
        kept = addReadable(bytes, expected);
      }
    } finally {
      if (!kept) {
        bytes.release();
      }
    }
  }

  /** Keeps or copies bytes; returns whether the buffer was kept. */
  private boolean addReadable(ByteBuf bytes, long expected) {
    int length = bytes.readableBytes();
    // Headers must lie in one memory region, so a composite buffer is copied into one.
    boolean inOnePiece = bytes.nioBufferCount() == 1;
    int capacity = PartGrowth.capacityKept(bytes);
    boolean keep = inOnePiece && length >= MIN_KEPT_PIECE && PartGrowth.fills(length, capacity);
    if (parts.isEmpty()) {
      // Usually it contains complete frames, which are removed before more bytes arrive.
      keep = inOnePiece;
    } else {
      tighten(expected);
    }
    if (keep) {
      shrinkLast();
      parts.add(new Part(bytes, capacity, false));
      held += capacity;
      size += length;
    } else {
      copy(bytes, expected);
    }
    return keep;
  }

  private void copy(ByteBuf bytes, long expected) {
    Part last = parts.peekLast();
    if (last != null && last.own) {
      int length = Math.min(bytes.readableBytes(), last.bytes.writableBytes());
      last.bytes.writeBytes(bytes, length);
      size += length;
    }
    int missing = bytes.readableBytes();
    if (missing > 0) {
      int capacity = PartGrowth.capacityFor(missing, size, held, expected);
      Part part = copyOf(bytes, capacity);
      parts.add(part);
      held += part.capacity;
      size += missing;
    }
  }

  private static Part copyOf(ByteBuf bytes, int capacity) {
    // Bytes on the heap stay there, so that nobody has to release them.
    ByteBuf copy = bytes.hasArray() && bytes.alloc() == UnpooledByteBufAllocator.DEFAULT
        ? Unpooled.wrappedBuffer(new byte[capacity]).clear()
        : bytes.alloc().buffer(capacity);
    copy.writeBytes(bytes, bytes.readerIndex(), bytes.readableBytes());
    return new Part(copy, copy.capacity(), true);
  }

  /** Copies the remaining bytes of parts whose memory is much larger. */
  void tighten(long expected) {
    Part first = parts.peek();
    if (first == null) {
      return;
    }
    boolean cameWasteful = !first.own && first.isWasteful(MAX_SPARE);
    if (cameWasteful || isWasteful()) {
      shrinkFirst(first, expected);
    }
    if (isWasteful()) {
      shrinkLast();
    }
  }

  private boolean isWasteful() {
    return PartGrowth.isWasteful(held, size);
  }

  private void shrinkFirst(Part first, long expected) {
    if (first.isWasteful(0)) {
      int left = first.bytes.readableBytes();
      int capacity = parts.size() == 1 ? PartGrowth.capacityFor(left, 0, 0, expected) : left;
      Part tight = copyOf(first.bytes, capacity);
      parts.removeFirst();
      parts.addFirst(tight);
      replaced(first, tight);
    }
  }

  /** Copies the last part if its unused room is not needed or exceeds its bytes. */
  private void shrinkLast() {
    Part last = parts.peekLast();
    if (last != null && last.own && parts.size() > 1 && last.isWasteful(0)) {
      Part tight = copyOf(last.bytes, last.bytes.readableBytes());
      parts.removeLast();
      parts.addLast(tight);
      replaced(last, tight);
    }
  }

  private void replaced(Part part, Part tight) {
    held += tight.capacity - part.capacity;
    part.bytes.release();
  }

  /** Returns some of the bytes as a big-endian view or copy, from its position to its limit. */
  ByteBuffer view(int offset, int length) {
    ByteBuf first = parts.element().bytes;
    if ((long) offset + length <= first.readableBytes()) {
      int index = first.readerIndex() + offset;
      return Bytes.view(first, index, length);
    }
    byte[] copy = new byte[length];
    int copied = 0;
    int before = offset;
    for (Part part : parts) {
      ByteBuf bytes = part.bytes;
      int skipped = Math.min(before, bytes.readableBytes());
      before -= skipped;
      int some = Math.min(length - copied, bytes.readableBytes() - skipped);
      bytes.getBytes(bytes.readerIndex() + skipped, copy, copied, some);
      copied += some;
      if (copied == length) {
        break;
      }
    }
    return ByteBuffer.wrap(copy);
  }

  /** Fills an array with the first bytes and removes them from the queue. */
  void read(byte[] to) {
    int at = 0;
    while (at < to.length) {
      Part first = parts.element();
      int length = Math.min(to.length - at, first.bytes.readableBytes());
      first.bytes.readBytes(to, at, length);
      at += length;
      passed(first, length);
    }
  }

  void skip(long length) {
    long left = length;
    while (left > 0) {
      Part first = parts.element();
      int skipped = (int) Math.min(left, first.bytes.readableBytes());
      first.bytes.skipBytes(skipped);
      left -= skipped;
      passed(first, skipped);
    }
  }

  private void passed(Part first, int length) {
    size -= length;
    if (!first.bytes.isReadable()) {
      parts.removeFirst();
      held -= first.capacity;
      first.bytes.release();
    }
  }

  /** Passes all bytes to the caller, who must release them. */
  ByteBuf takeAll() {
    List<ByteBuf> all = new ArrayList<>(parts.size());
    parts.forEach(part -> all.add(part.bytes));
    forget();
    if (all.size() < 2) {
      return all.isEmpty() ? Unpooled.EMPTY_BUFFER : all.get(0);
    }
    CompositeByteBuf whole = all.get(0).alloc().compositeBuffer(Integer.MAX_VALUE);
    return whole.addComponents(true, all);
  }

  void release() {
    parts.forEach(part -> part.bytes.release());
    forget();
  }

  private void forget() {
    parts.clear();
    size = 0;
    held = 0;
  }
}
