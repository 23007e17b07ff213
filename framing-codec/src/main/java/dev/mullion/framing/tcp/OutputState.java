package dev.mullion.framing.tcp;

/**
 * How far the output of a connection has come to its end. It only moves to the right.
 *
 * <pre>{@code
 *  OPEN ---- endOutput, last frame of a publisher ----> ENDING ---- all is written ----> ENDED
 *    |                                                                                     ^
 *    +---- close, or the server stops, and all is written ---------------------------------+
 * }</pre>
 */
enum OutputState {
  /** Frames are taken. */
  OPEN,

  /** Nothing more is sent behind what waits. */
  ENDING,

  /** A FIN, or close_notify, has been sent. */
  ENDED
}
