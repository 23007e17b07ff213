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
 * Bytes that have come and wait, in the parts in which they lie. Short pieces are copied into parts
 * that grow with what is held, so that the memory held is at most twice the bytes, plus {@link
 * PartGrowth#SMALL}; only the buffer in front may hold more, until it is {@link #tighten
 * tightened}.
 */
final class ByteQueue {
  /** Shorter pieces are not worth a part of their own. */
  private static final int MIN_KEPT_PIECE = 1024;

  /** A buffer that wastes no more is not worth a copy. */
  private static final int MAX_SPARE = 512;

  /**
   * A buffer that came, or one made here, behind whose bytes more may be written.
   *
   * @param capacity what is released with it
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
   * Takes over what is readable in a buffer.
   *
   * @param expected the size that is likely to be reached, to which a part is made; more may come
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
    // Headers are found in one piece of memory, so a composite buffer is copied into one.
    boolean inOnePiece = bytes.nioBufferCount() == 1;
    int capacity = PartGrowth.capacityKept(bytes);
    boolean keep = inOnePiece && length >= MIN_KEPT_PIECE && PartGrowth.fills(length, capacity);
    if (parts.isEmpty()) {
      // Most often it holds whole frames, which will be gone before more comes.
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
    // What came on the heap stays there, so that nobody has to release it.
    ByteBuf copy = bytes.hasArray() && bytes.alloc() == UnpooledByteBufAllocator.DEFAULT
        ? Unpooled.wrappedBuffer(new byte[capacity]).clear()
        : bytes.alloc().buffer(capacity);
    copy.writeBytes(bytes, bytes.readerIndex(), bytes.readableBytes());
    return new Part(copy, copy.capacity(), true);
  }

  /** Copies what is left in parts that hold much more memory than bytes. */
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

  /** The room behind the bytes of the last part is not needed, or more than what is held. */
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

  /** Returns a big-endian view, from its position to its limit, or a copy, of some of the bytes. */
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

  /** Fills an array with the first bytes, which are in the queue no more. */
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

  /** Hands all bytes over to the caller, who releases them. */
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
