package dev.mullion.framing.tcp;

/**
 * How far whoever takes frames has come with a stop of the server.
 *
 * <pre>{@code
 *  NONE ---- all that came is in the decoder ---> SEEN ---- more comes ----> LAST_FRAME
 *                                                  |                             |
 *                                          nothing is left                frame complete
 *                                                  |                             |
 *                                                  +-----------> DONE <----------+
 * }</pre>
 */
enum InboxStop {
  NONE,

  /** The decoder has all that had come when the server stopped, and all of that is wanted. */
  SEEN,

  /** Only the rest of the frame that has begun is wanted. */
  LAST_FRAME,

  /** What still comes is dropped. */
  DONE
}
