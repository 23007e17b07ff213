package dev.mullion.framing.tcp;

/**
 * How far the input of a connection has come to its end. It only moves to the right.
 *
 * <pre>{@code
 *  OPEN ------ stop ----> LAST_FRAME ---- frame complete ----> ENDED ---- FIN ----> PEER_ENDED
 *    |                        |                                  ^                      ^
 *    +--- close at a stop ----+----------------------------------+                      |
 *    +--- FIN, close_notify --+---------------------------------------------------------+
 * }</pre>
 */
enum InputState {
  /** Frames are wanted. */
  OPEN,

  /** The server stops: of what still comes, only the rest of a frame that has begun is wanted. */
  LAST_FRAME,

  /** This side wants no more; the peer may still send. */
  ENDED,

  /** The peer has ended its side in good order. */
  PEER_ENDED;

  /** Whether whoever takes frames has been told that no more come. */
  boolean isEnded() {
    return compareTo(ENDED) >= 0;
  }
}
