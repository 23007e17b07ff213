package dev.mullion.framing.tcp;

/**
 * Handles a connection on a thread of its own, in plain blocking code.
 *
 * <pre>{@code
 * connection -> {
 *   for (byte[] frame : connection) {
 *     connection.send(frame);
 *   }
 * }
 * }</pre>
 *
 * <p>The thread is a virtual one on JDK 21 and newer. While the handler is busy its peer is not
 * read from beyond a bound, and no other connection notices. When it returns, what it has sent is
 * flushed and the connection is closed. An exception or error closes it too; one that is not the
 * connection's own is logged, and counted.
 */
@FunctionalInterface
public interface ConnectionHandler {
  /** Called once for each connection. */
  void handle(FramedConnection connection) throws Exception;
}
