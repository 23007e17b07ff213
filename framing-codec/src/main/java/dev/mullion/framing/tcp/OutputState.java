package dev.mullion.framing.tcp;

/**
 * How close a connection's output is to its end. It only moves to the right.
 *
 * <pre>{@code
 *  OPEN ---- endOutput, last frame of a publisher ----> ENDING ---- all is written ----> ENDED
 *    |                                                                                     ^
 *    +---- close, or the server stops, and all is written ---------------------------------+
 * }</pre>
 */
enum OutputState {
  /** Frames are accepted. */
  OPEN,

  /** Nothing more is sent after the queued frames. */
  ENDING,

  /** A FIN, or close_notify, has been sent. */
  ENDED
}
