package dev.mullion.framing.tcp;

/**
 * Whether and how this side has closed a connection. If the peer or the network closes the
 * connection, the state does not change.
 *
 * <pre>{@code
 *  OPEN ---- all is sent ----> WITH_PEER ---- the peer's FIN, timeout, abort ----------> IN_ORDER
 *    |
 *    +---- abort, or all is sent and nothing can be lost -----------------------------> AT_ONCE
 * }</pre>
 */
enum CloseState {
  /** This side has not closed. */
  OPEN,

  /** This side has closed; it reads and drops input until the peer closes too. */
  WITH_PEER,

  /** The socket was closed after {@link #WITH_PEER}. */
  IN_ORDER,

  /** The socket was closed without waiting for the peer. */
  AT_ONCE;

  /** Whether this side reads and drops input, or did so until the socket was closed. */
  boolean dropsInput() {
    return this == WITH_PEER || this == IN_ORDER;
  }

  /** Whether this side has closed the socket. */
  boolean isClosed() {
    return this == IN_ORDER || this == AT_ONCE;
  }
}
