package dev.mullion.framing.testing;

import io.netty.util.concurrent.FastThreadLocalThread;
import java.lang.management.LockInfo;
import java.lang.management.ManagementFactory;
import java.lang.management.MonitorInfo;
import java.lang.management.ThreadInfo;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.List;

/**
 * The locks that the current thread holds, for code that must be called without. To find them takes
 * long: it walks through the whole heap.
 */
public final class HeldLocks {
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private HeldLocks() {}

  /**
   * Returns the monitors of our own objects, and all locks of {@code java.util.concurrent}: of
   * these it is not known whose they are, but when it calls us the JDK holds none, and Netty one
   * for the whole life of an event loop.
   */
  public static List<String> ofThisThread() {
    long[] self = {Thread.currentThread().getId()};
    ThreadInfo info = THREADS.getThreadInfo(self, true, true)[0];
    if (info == null) {
      // Of a virtual thread the JDK does not say.
      return List.of();
    }
    List<String> held = new ArrayList<>();
    for (MonitorInfo monitor : info.getLockedMonitors()) {
      StackTraceElement frame = monitor.getLockedStackFrame();
      if (frame != null && frame.getClassName().startsWith("dev.mullion.")) {
        held.add(monitor.getClassName() + " locked by " + frame);
      }
    }
    List<String> locks = new ArrayList<>();
    for (LockInfo lock : info.getLockedSynchronizers()) {
      if (!lock.getClassName().contains("ThreadPoolExecutor$Worker")) {
        locks.add(lock.getClassName());
      }
    }
    int loops = Thread.currentThread() instanceof FastThreadLocalThread ? 1 : 0;
    held.addAll(locks.subList(Math.min(loops, locks.size()), locks.size()));
    return held;
  }
}
