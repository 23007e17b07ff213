package dev.mullion.framing;

import io.netty.buffer.ByteBuf;

/**
 * How long the parts are in which bytes that come in pieces are collected. Long pieces are kept
 * where they lie; short ones are copied into parts that grow with what is held, so that the memory
 * held is at most twice the bytes, plus {@link #SMALL}.
 */
final class PartGrowth {
  /** What may be reserved before more than a few bytes have come. */
  static final int SMALL = 4 * 1024;

  private static final int MAX_PART = 256 * 1024;

  private PartGrowth() {}

  /** Returns whether a piece that fills so much of its buffer may be kept instead of copied. */
  static boolean fills(int length, int capacity) {
    return 2L * length >= capacity;
  }

  /**
   * Returns what is held with a buffer: a slice keeps the whole of the buffer that it is a part of.
   */
  static int capacityKept(ByteBuf in) {
    ByteBuf root = in;
    while (root.unwrap() != null) {
      root = root.unwrap();
    }
    return root.capacity();
  }

  /** Returns whether so much memory is more than the bytes in it may hold. */
  static boolean isWasteful(long held, long bytes) {
    return held > 2 * bytes + SMALL;
  }

  /**
   * Returns how long a part to make is.
   *
   * @param missing how many bytes must find room in it
   * @param had how many bytes are held before them
   * @param held the memory that those take
   * @param expected how many bytes there will be, if that is known to be more
   */
  static int capacityFor(int missing, long had, long held, long expected) {
    long room = Math.max(SMALL, Math.min(had, MAX_PART));
    if (expected > had) {
      room = Math.min(room, expected - had);
    }
    // A part may be left unfilled, when a long piece comes and is kept.
    long allowed = 2 * (had + missing) + SMALL - held;
    return (int) Math.max(missing, Math.min(room, allowed));
  }
}
