package dev.mullion.framing.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.CompositeByteBuf;
import io.netty.util.concurrent.FastThreadLocal;
import org.jspecify.annotations.Nullable;

/**
 * The bytes and the memory of the buffers that wait in Netty's queue, in their order. A connection
 * has one only while something waits: each event loop keeps one for the next connection that needs
 * it.
 */
final class UnsentBuffers {
  private static final FastThreadLocal<UnsentBuffers> UNUSED = new FastThreadLocal<>();

  private static final int USUAL_ENTRIES = 8;

  /** For each buffer its bytes, followed by the memory that it keeps. */
  private int[] ring = new int[2 * USUAL_ENTRIES];

  private int first;
  private int entries;
  private long pending;
  private long held;
  private @Nullable ByteBuf lastRoot;

  private UnsentBuffers() {}

  /** Takes the event loop's unused one, or a new one. */
  static UnsentBuffers acquire() {
    UnsentBuffers unused = UNUSED.getIfExists();
    if (unused == null) {
      return new UnsentBuffers();
    }
    UNUSED.set(null);
    return unused;
  }

  /** Returns it to the event loop: nothing waits any more. */
  void recycle() {
    first = 0;
    entries = 0;
    pending = 0;
    held = 0;
    lastRoot = null;
    if (room() == USUAL_ENTRIES) {
      UNUSED.set(this);
    }
  }

  long pending() {
    return pending;
  }

  /** Returns the memory of all buffers, including their unused parts. */
  long held() {
    return held;
  }

  /** Returns the additional memory that a buffer would keep after those that wait. */
  int memoryOf(ByteBuf buffer) {
    return memoryOf(buffer, lastRoot);
  }

  boolean isFull() {
    return entries == room();
  }

  void add(ByteBuf buffer) {
    if (isFull()) {
      grow();
    }
    int at = place(entries);
    int length = buffer.readableBytes();
    int keeps = memoryOf(buffer, lastRoot);
    lastRoot = rootOf(buffer);
    ring[at] = length;
    ring[at + 1] = keeps;
    entries++;
    pending += length;
    held += keeps;
  }

  /** Removes the first buffers, so that the given number of them is left. */
  void keepLast(int left) {
    while (entries > left) {
      pending -= ring[place(0)];
      held -= ring[place(0) + 1];
      first = first + 1 & room() - 1;
      entries--;
    }
  }

  private int room() {
    return ring.length / 2;
  }

  /** Returns the index of an entry, counted from the first. */
  private int place(int entry) {
    return 2 * (first + entry & room() - 1);
  }

  private void grow() {
    int[] grown = new int[2 * ring.length];
    for (int i = 0; i < entries; i++) {
      System.arraycopy(ring, place(i), grown, 2 * i, 2);
    }
    first = 0;
    ring = grown;
  }

  /**
   * Returns the additional memory that a buffer keeps: a slice keeps its whole parent; several
   * slices of one parent keep it once. A channel copies a buffer on the heap to one of its length
   * and releases it, after which the pool may return the same object.
   */
  @SuppressWarnings("ReferenceEquality") // Buffers are equal when their bytes are.
  private static int memoryOf(ByteBuf buffer, @Nullable ByteBuf kept) {
    if (buffer instanceof CompositeByteBuf composite) {
      int keeps = 0;
      ByteBuf before = kept;
      for (int i = 0; i < composite.numComponents(); i++) {
        ByteBuf component = composite.internalComponent(i);
        keeps += memoryOf(component, before);
        before = rootOf(component);
      }
      return keeps;
    }
    ByteBuf root = rootOf(buffer);
    if (!root.isDirect()) {
      return buffer.readableBytes();
    }
    return root == kept ? 0 : root.capacity();
  }

  private static ByteBuf rootOf(ByteBuf buffer) {
    ByteBuf root = buffer;
    for (ByteBuf next = root.unwrap(); next != null; next = next.unwrap()) {
      root = next;
    }
    return root;
  }
}
