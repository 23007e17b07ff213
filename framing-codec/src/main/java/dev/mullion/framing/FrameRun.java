package dev.mullion.framing;

import java.util.Arrays;

/**
 * The positions of the frames of a run: an offset and a length for each, in one array that is
 * reused. A full run is delivered before the scan continues, so the array stays small.
 */
final class FrameRun {
  private static final int INITIAL_FRAMES = 64;
  private static final int MAX_FRAMES = 8192;

  private int[] bounds = new int[2 * INITIAL_FRAMES];
  private int used;

  int size() {
    return used >> 1;
  }

  int offset(int frame) {
    return bounds[2 * frame];
  }

  int length(int frame) {
    return bounds[2 * frame + 1];
  }

  boolean isFull() {
    return used == 2 * MAX_FRAMES;
  }

  /** Adds a frame to a run that is not full. */
  void add(int offset, int length) {
    int[] to = boundsWithRoom();
    to[used++] = offset;
    to[used++] = length;
  }

  void shorten(int frames) {
    used = 2 * frames;
  }

  void clear() {
    used = 0;
  }

  /** Returns the array of a run that is not full, with room for a frame at {@link #used()}. */
  int[] boundsWithRoom() {
    if (used == bounds.length) {
      bounds = Arrays.copyOf(bounds, 2 * bounds.length);
    }
    return bounds;
  }

  int used() {
    return used;
  }

  void used(int count) {
    used = count;
  }
}
