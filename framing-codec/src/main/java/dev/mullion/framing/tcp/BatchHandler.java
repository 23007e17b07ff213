package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FramePart;
import org.jspecify.annotations.Nullable;

/**
 * Handles a connection's frames on its event loop, for speed: all the frames of a read come as
 * positions in one buffer, and the replies to them are gathered and flushed once.
 *
 * <pre>{@code
 * public void frames(FramedConnection connection, FrameBatch batch) {
 *   for (int i = 0; i < batch.size(); i++) {
 *     connection.reply(batch.buffer(), batch.offset(i), batch.length(i));
 *   }
 * }
 * }</pre>
 *
 * <p>Each connection has a handler of its own, and its methods are called by one thread, one at a
 * time. They must not block: no lock that is held for long, no I/O, no {@code send} that waits.
 * While one does, none of the loop's other connections is served; the server's watchdog reports
 * that. An exception or error from any of them is logged, counted, and closes the connection.
 */
@FunctionalInterface
public interface BatchHandler {
  /** Called when the connection is there, before its first frame; with TLS, after the handshake. */
  default void opened(FramedConnection connection) {}

  /** Called with the frames of each read. The batch is valid until this returns. */
  void frames(FramedConnection connection, FrameBatch batch);

  /**
   * Called with each part of a frame that is longer than the read in which it began, if that was
   * set with {@link FramedServerBuilder#parts}. The part is valid until this returns.
   */
  default void part(FramedConnection connection, FramePart part) {
    throw new UnsupportedOperationException("parts: true needs a handler with part()");
  }

  /**
   * Called when the server begins to stop. What has been received is still delivered; then the
   * connection is closed, once everything is sent.
   */
  default void stopping(FramedConnection connection) {}

  /**
   * Called when the peer has ended its sending side; it may still read. By default the connection
   * is closed once everything is sent. One that is kept must be closed by the handler some time; a
   * client that connects again closes it when this has returned.
   */
  default void inputEnded(FramedConnection connection) {
    connection.closeWhenSent();
  }

  /**
   * Called once, at the very end.
   *
   * @param cause the error that ended it, or {@code null}
   */
  default void closed(FramedConnection connection, @Nullable Throwable cause) {}
}
