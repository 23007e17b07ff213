package dev.mullion.net.base;

/** Closes a server when the JVM ends, unless the server has stopped before. */
public final class ShutdownHook {
  private final Thread thread;

  /** Makes a hook that is not registered yet. */
  public ShutdownHook(String name, Runnable close) {
    thread = new Thread(close, name);
  }

  /**
   * Registers it.
   *
   * @throws IllegalStateException if the JVM ends already
   */
  public void register() {
    Runtime.getRuntime().addShutdownHook(thread);
  }

  /** Removes it, and returns whether it was registered. Does nothing if the JVM ends. */
  public boolean remove() {
    try {
      return Runtime.getRuntime().removeShutdownHook(thread);
    } catch (IllegalStateException theJvmEnds) {
      // The hook runs, perhaps on this very thread.
      return false;
    }
  }
}
