package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.impl.ForgivingExceptionHandler;
import java.util.function.Consumer;

/**
 * Takes exceptions of callbacks. Their channel is closed, so that its subscription begins again, or
 * its session: what the callback had is not settled. The close is not waited for here, since its
 * answer arrives on this thread.
 */
final class ClientExceptions extends ForgivingExceptionHandler {
  private static final int ABORT_MILLIS = 1_000;

  private final Consumer<Runnable> closer;

  ClientExceptions(Consumer<Runnable> closer) {
    this.closer = closer;
  }

  @Override
  protected void handleChannelKiller(Channel channel, Throwable exception, String what) {
    log(what, exception);
    closer.accept(() -> Session.abort(channel));
  }

  @Override
  protected void handleConnectionKiller(Connection connection, Throwable exception, String what) {
    log(what, exception);
    closer.accept(() -> connection.abort(ABORT_MILLIS));
  }

  /** The session ends, and its end is told with this as the cause. */
  @Override
  public void handleUnexpectedConnectionDriverException(Connection connection, Throwable cause) {}

  @Override
  protected void log(String what, Throwable exception) {
    Logs.warn("callback", "a callback has failed (" + what + ")", exception);
  }
}
