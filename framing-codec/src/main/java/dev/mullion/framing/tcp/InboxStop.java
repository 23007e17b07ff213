package dev.mullion.framing.tcp;

/**
 * How close the receiver is to the end of input after a stop of the server.
 *
 * <pre>{@code
 *  NONE ---- decoder has all received input ----> SEEN ---- more arrives --> LAST_FRAME
 *                                                  |                             |
 *                                          nothing is left                frame complete
 *                                                  |                             |
 *                                                  +-----------> DONE <----------+
 * }</pre>
 */
enum InboxStop {
  NONE,

  /** The decoder has all input received before the stop; all of it is wanted. */
  SEEN,

  /** Only the rest of the current, incomplete frame is wanted. */
  LAST_FRAME,

  /** Later input is dropped. */
  DONE
}
