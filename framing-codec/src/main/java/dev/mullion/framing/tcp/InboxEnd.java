package dev.mullion.framing.tcp;

/**
 * How close the receiver is to the end of the frames.
 *
 * <pre>{@code
 *  OPEN ---- decoder has all input, and none will follow -----------> SEEN ---> REACHED
 *    |                                                                            ^
 *    +---- a frame is corrupt, or too large ----------------------------------------+
 * }</pre>
 */
enum InboxEnd {
  OPEN,

  /** The remaining frames are the last ones. */
  SEEN,

  /** No frame is left. */
  REACHED
}
