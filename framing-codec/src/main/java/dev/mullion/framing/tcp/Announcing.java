package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FramePart;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A client's batch handler that first announces its connection. */
record Announcing(BatchHandler handler, Consumer<FramedConnection> onOpened)
    implements BatchHandler {
  @Override
  public void opened(FramedConnection connection) {
    onOpened.accept(connection);
    handler.opened(connection);
  }

  @Override
  public void frames(FramedConnection connection, FrameBatch batch) {
    handler.frames(connection, batch);
  }

  @Override
  public void part(FramedConnection connection, FramePart part) {
    handler.part(connection, part);
  }

  @Override
  public void stopping(FramedConnection connection) {
    handler.stopping(connection);
  }

  @Override
  public void inputEnded(FramedConnection connection) {
    handler.inputEnded(connection);
  }

  @Override
  public void closed(FramedConnection connection, @Nullable Throwable cause) {
    handler.closed(connection, cause);
  }
}
