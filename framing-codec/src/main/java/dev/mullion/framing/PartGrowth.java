package dev.mullion.framing;

import io.netty.buffer.ByteBuf;

/**
 * The sizes of the parts that collect bytes arriving in pieces. Long pieces are kept in their
 * buffers. Short ones are copied into parts that grow with the number of bytes, so that the memory
 * is at most twice the bytes plus {@link #SMALL}.
 */
final class PartGrowth {
  /** Bytes that may be allocated before more than a few bytes have arrived. */
  static final int SMALL = 4 * 1024;

  private static final int MAX_PART = 256 * 1024;

  private PartGrowth() {}

  /** Returns whether a piece fills enough of its buffer to be kept instead of copied. */
  static boolean fills(int length, int capacity) {
    return 2L * length >= capacity;
  }

  /** Returns the memory that a buffer keeps: a slice keeps its whole parent buffer. */
  static int capacityKept(ByteBuf in) {
    ByteBuf root = in;
    while (root.unwrap() != null) {
      root = root.unwrap();
    }
    return root.capacity();
  }

  /** Returns whether the memory exceeds the limit for the bytes in it. */
  static boolean isWasteful(long held, long bytes) {
    return held > 2 * bytes + SMALL;
  }

  /**
   * Returns the capacity of a new part.
   *
   * @param missing the number of bytes that must fit in it
   * @param had the number of bytes collected before them
   * @param held the memory of those bytes
   * @param expected the expected total number of bytes, if it is known to be larger
   */
  static int capacityFor(int missing, long had, long held, long expected) {
    long room = Math.max(SMALL, Math.min(had, MAX_PART));
    if (expected > had) {
      room = Math.min(room, expected - had);
    }
    // A part may stay unfilled when a long piece arrives and is kept.
    long allowed = 2 * (had + missing) + SMALL - held;
    return (int) Math.max(missing, Math.min(room, allowed));
  }
}
