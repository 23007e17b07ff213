package dev.mullion.framing.tcp;

/**
 * How close the receiver is to the end of the frames.
 *
 * <pre>{@code
 *  OPEN ---- all that came is in the decoder, and no more comes ----> SEEN ---> REACHED
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
