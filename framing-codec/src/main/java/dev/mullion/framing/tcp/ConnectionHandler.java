package dev.mullion.framing.tcp;

/**
 * Handles a connection on its own thread, in plain blocking code.
 *
 * <pre>{@code
 * connection -> {
 *   for (byte[] frame : connection) {
 *     connection.send(frame);
 *   }
 * }
 * }</pre>
 *
 * <p>The thread is virtual on JDK 21 and newer. While the handler is busy, reading from its peer
 * pauses beyond a bound; other connections are not affected. When it returns, frames it has sent
 * are flushed and the connection is closed. An exception or error closes the connection too; it is
 * logged and counted unless the connection itself caused it.
 */
@FunctionalInterface
public interface ConnectionHandler {
  /** Called once for each connection. */
  void handle(FramedConnection connection) throws Exception;
}
