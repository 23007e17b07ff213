package dev.mullion.framing;

import java.util.concurrent.atomic.LongAdder;

/**
 * Counters of one or more {@link LengthDelimitedCodec}s, {@link FrameDecoder}s and {@link
 * FrameEncoder}s, which may share them. Any thread may read them at any time. A codec updates them
 * once for each read and flush, not for each frame.
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

  /** Creates counters that start at 0. */
  public FrameCounters() {}

  /** Counts encoded frames that are written without a codec or an encoder that counts them. */
  public void encoded(EncodedFrames frames) {
    framesEncoded.add(frames.size());
    bytesEncoded.add(frames.content().readableBytes());
  }

  /** Returns the number of delivered frames. */
  public long framesDecoded() {
    return framesDecoded.sum();
  }

  /** Returns the number of bytes on the wire of all delivered frames and parts of frames. */
  public long bytesDecoded() {
    return bytesDecoded.sum();
  }

  /**
   * Returns the number of encoded frames. The promises of a codec's frames show whether they were
   * sent.
   */
  public long framesEncoded() {
    return framesEncoded.sum();
  }

  /** Returns the number of bytes on the wire of all encoded frames. */
  public long bytesEncoded() {
    return bytesEncoded.sum();
  }

  /** Returns the number of frames announced with more than the maximum length, skipped or not. */
  public long framesTooLarge() {
    return framesTooLarge.sum();
  }

  /** Returns the number of streams that were abandoned because they were out of sync. */
  public long framesCorrupt() {
    return framesCorrupt.sum();
  }

  /** Returns the number of streams that ended inside a frame. */
  public long framesTruncated() {
    return framesTruncated.sum();
  }

  /** Returns the number of frames that could not be encoded. */
  public long framesRefused() {
    return framesRefused.sum();
  }

  /**
   * Returns the number of received bytes outside of delivered frames: skipped, truncated, or after
   * an error.
   */
  public long bytesDiscarded() {
    return bytesDiscarded.sum();
  }

  /** Lists every counter with its value. */
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
