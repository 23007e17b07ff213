package dev.mullion.net.base;

/** Closes a server when the JVM shuts down, unless the server has already stopped. */
public final class ShutdownHook {
  private final Thread thread;

  /** Creates a hook without registering it. */
  public ShutdownHook(String name, Runnable close) {
    thread = new Thread(close, name);
  }

  /**
   * Registers the hook.
   *
   * @throws IllegalStateException if the JVM is already shutting down
   */
  public void register() {
    Runtime.getRuntime().addShutdownHook(thread);
  }

  /** Removes the hook; returns whether it was registered. Does nothing while the JVM shuts down. */
  public boolean remove() {
    try {
      return Runtime.getRuntime().removeShutdownHook(thread);
    } catch (IllegalStateException theJvmEnds) {
      // The hook is running, possibly on this thread.
      return false;
    }
  }
}
