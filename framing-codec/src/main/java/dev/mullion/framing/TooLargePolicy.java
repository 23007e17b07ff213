package dev.mullion.framing;

/**
 * What a {@link LengthDelimitedCodec} does when a peer announces a payload longer than {@link
 * FrameFormat#maxFrameLength()}. Each case is counted in {@link FrameCounters}.
 */
public enum TooLargePolicy {
  /** Fires a {@link FrameTooLargeException} and closes the channel. The default. */
  CLOSE,
  /** Fires a {@link FrameTooLargeException}, skips the frame as it comes, and goes on behind it. */
  REPORT,
  /** Skips the frame as it comes and goes on behind it; only the counters tell. */
  SKIP
}
