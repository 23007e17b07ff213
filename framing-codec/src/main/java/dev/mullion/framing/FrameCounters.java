package dev.mullion.framing;

import java.util.concurrent.atomic.LongAdder;

/**
 * What one or more {@link LengthDelimitedCodec}s, {@link FrameDecoder}s and {@link FrameEncoder}s
 * have done. They may share one object of this class; any thread may read it while they count. A
 * codec brings a number up to date once for each read and flush, not for each frame.
 */
public final class FrameCounters {
  final LongAdder framesDecoded = new LongAdder();
  final LongAdder bytesDecoded = new LongAdder();
  final LongAdder framesEncoded = new LongAdder();
  final LongAdder bytesEncoded = new LongAdder();
  final LongAdder framesTooLarge = new LongAdder();
  final LongAdder framesCorrupt = new LongAdder();
  final LongAdder framesTruncated = new LongAdder();
  final LongAdder framesRefused = new LongAdder();
  final LongAdder bytesDiscarded = new LongAdder();

  /** Creates counters that stand at 0. */
  public FrameCounters() {}

  /** Returns how many frames were delivered. */
  public long framesDecoded() {
    return framesDecoded.sum();
  }

  /** Returns the bytes on the wire of the frames, and parts of frames, that were delivered. */
  public long bytesDecoded() {
    return bytesDecoded.sum();
  }

  /**
   * Returns how many frames were encoded; with a codec, their promises tell whether they were sent.
   */
  public long framesEncoded() {
    return framesEncoded.sum();
  }

  /** Returns the bytes on the wire of the frames that were encoded. */
  public long bytesEncoded() {
    return bytesEncoded.sum();
  }

  /** Returns how many frames were announced with more than the maximum length, skipped or not. */
  public long framesTooLarge() {
    return framesTooLarge.sum();
  }

  /** Returns how many streams were given up because they were out of step. */
  public long framesCorrupt() {
    return framesCorrupt.sum();
  }

  /** Returns how many streams ended inside a frame. */
  public long framesTruncated() {
    return framesTruncated.sum();
  }

  /** Returns how many frames could not be encoded. */
  public long framesRefused() {
    return framesRefused.sum();
  }

  /**
   * Returns the bytes that came and were in no delivered frame: skipped, cut, or after an error.
   */
  public long bytesDiscarded() {
    return bytesDiscarded.sum();
  }

  /** Names every counter with its value. */
  @Override
  public String toString() {
    return "FrameCounters[framesDecoded="
        + framesDecoded
        + ", bytesDecoded="
        + bytesDecoded
        + ", framesEncoded="
        + framesEncoded
        + ", bytesEncoded="
        + bytesEncoded
        + ", framesTooLarge="
        + framesTooLarge
        + ", framesCorrupt="
        + framesCorrupt
        + ", framesTruncated="
        + framesTruncated
        + ", framesRefused="
        + framesRefused
        + ", bytesDiscarded="
        + bytesDiscarded
        + "]";
  }
}
