package dev.mullion.net.base;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import java.io.IOException;
import java.util.concurrent.ThreadFactory;

/** Creates event loops, whose selectors need file descriptors. */
public final class EventLoops {
  private EventLoops() {}

  /**
   * Creates event loops.
   *
   * @param what the setting or the user of the loops, for the error's text
   * @throws IOException if the system cannot create them, for instance without a free descriptor
   */
  public static EventLoopGroup create(
      String what, int threads, ThreadFactory factory, IoHandlerFactory handlers)
      throws IOException {
    try {
      return new MultiThreadIoEventLoopGroup(threads, factory, handlers);
    } catch (IllegalStateException e) {
      // Netty has ended the loops it created; the cause is the system's.
      Throwable cause = e.getCause() == null ? e : e.getCause();
      throw new IOException(what + " cannot be started: " + cause, e);
    }
  }
}
