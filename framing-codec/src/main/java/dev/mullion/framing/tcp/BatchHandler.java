package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FramePart;
import org.jspecify.annotations.Nullable;

/**
 * Handles a connection's frames on its event loop, for speed. All frames of a read arrive as
 * positions in one buffer; the replies are collected and flushed once.
 *
 * <pre>{@code
 * public void frames(FramedConnection connection, FrameBatch batch) {
 *   for (int i = 0; i < batch.size(); i++) {
 *     connection.reply(batch.buffer(), batch.offset(i), batch.length(i));
 *   }
 * }
 * }</pre>
 *
 * <p>Each connection has its own handler. One thread calls its methods, one at a time. They must
 * not block: no long-held lock, no I/O, no {@code send} that waits. A blocked handler stalls all
 * other connections of its event loop; the server's watchdog reports it. An exception or error from
 * any method is logged and counted, and closes the connection.
 */
@FunctionalInterface
public interface BatchHandler {
  /** Called when the connection is open, before its first frame; with TLS, after the handshake. */
  default void opened(FramedConnection connection) {}

  /** Called with the frames of each read. The batch is valid until this returns. */
  void frames(FramedConnection connection, FrameBatch batch);

  /**
   * Called with each part of a frame that is longer than the read in which it began, if {@link
   * FramedServerBuilder#parts} is on. The part is valid until this returns.
   */
  default void part(FramedConnection connection, FramePart part) {
    throw new UnsupportedOperationException("parts: true needs a handler with part()");
  }

  /**
   * Called when the server begins to stop. Frames already received are still delivered; the
   * connection is then closed once everything is sent.
   */
  default void stopping(FramedConnection connection) {}

  /**
   * Called when the peer has ended its sending side; it may still read. By default the connection
   * is closed once everything is sent. An override that keeps the connection open must eventually
   * close it; a client that reconnects closes it when this returns.
   */
  default void inputEnded(FramedConnection connection) {
    connection.closeWhenSent();
  }

  /**
   * Called once, after the connection is closed.
   *
   * @param cause the error that ended it, or {@code null}
   */
  default void closed(FramedConnection connection, @Nullable Throwable cause) {}
}
