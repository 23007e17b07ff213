package dev.mullion.framing.tcp;

/**
 * How far whoever takes frames has come with the end of them.
 *
 * <pre>{@code
 *  OPEN ---- all that came is in the decoder, and no more comes ----> SEEN ---> REACHED
 *    |                                                                            ^
 *    +---- a frame is corrupt, or too large ----------------------------------------+
 * }</pre>
 */
enum InboxEnd {
  OPEN,

  /** The frames that are left are the last ones. */
  SEEN,

  /** None is left. */
  REACHED
}
