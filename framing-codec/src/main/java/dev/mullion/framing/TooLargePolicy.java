package dev.mullion.framing;

/**
 * How a {@link LengthDelimitedCodec} handles an announced payload that is longer than {@link
 * FrameFormat#maxFrameLength()}. Each case is counted in {@link FrameCounters}.
 */
public enum TooLargePolicy {
  /** Fires a {@link FrameTooLargeException} and closes the channel. The default. */
  CLOSE,
  /**
   * Fires a {@link FrameTooLargeException}, skips the frame as it arrives, and continues after it.
   */
  REPORT,
  /** Skips the frame as it arrives and continues after it; only the counters show it. */
  SKIP
}
