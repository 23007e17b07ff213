package dev.mullion.framing.tcp;

/**
 * How close a connection's input is to its end. It only moves to the right.
 *
 * <pre>{@code
 *  OPEN ------ stop ----> LAST_FRAME ---- frame complete ----> ENDED ---- FIN ----> PEER_ENDED
 *    |                        |                                  ^                      ^
 *    +--- close at a stop ----+----------------------------------+                      |
 *    +--- FIN, close_notify --+---------------------------------------------------------+
 * }</pre>
 */
enum InputState {
  /** Frames are accepted. */
  OPEN,

  /** The server is stopping: only the rest of an incomplete frame is accepted. */
  LAST_FRAME,

  /** This side accepts no more input; the peer may still send. */
  ENDED,

  /** The peer has ended its side in order. */
  PEER_ENDED;

  /** Whether the receiver has been notified that no more frames follow. */
  boolean isEnded() {
    return compareTo(ENDED) >= 0;
  }
}
