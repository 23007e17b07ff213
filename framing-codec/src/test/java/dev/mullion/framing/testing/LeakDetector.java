package dev.mullion.framing.testing;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.LeakPresenceDetector;
import io.netty.util.ResourceLeakDetector;
import io.netty.util.ResourceLeakDetectorFactory;
import java.util.concurrent.locks.LockSupport;

/**
 * Counts Netty's pooled and direct buffers, each in the {@link Watch} that was open when it was
 * made.
 *
 * <p>A buffer stays with its watch: one that is released after its watch has reported it changes no
 * later watch. The current watch is one for the whole JVM, since buffers are made on any thread.
 */
final class LeakDetector<T> extends LeakPresenceDetector<T> {
  /**
   * How often it looks, every millisecond, before it says that a buffer is leaked: closed channels
   * release what they hold on their event loop, a little after the test's end. It counts looks,
   * since a machine that stood still for a while has used up any time, but has released nothing in
   * it.
   */
  static final int LOOKS = 10_000;

  private static volatile ResourceScope current = new ResourceScope("outside the tests");

  private LeakDetector(Class<?> resourceType) {
    super(resourceType);
  }

  @Override
  protected ResourceScope currentScope() {
    return current;
  }

  /** Makes Netty use this detector; to be called before any class of Netty's buffers is loaded. */
  static void install() {
    ResourceLeakDetectorFactory.setResourceLeakDetectorFactory(new Factory());
    ByteBuf probe = ByteBufAllocator.DEFAULT.directBuffer();
    boolean seen = current.hasOpenResources();
    probe.release();
    if (!seen) {
      throw new IllegalStateException("Netty was in use before the leak detector was installed");
    }
  }

  /** Starts a new watch, which is the current one until it is closed. */
  static Watch watch(String name, int looks) {
    Watch watch = new Watch(new ResourceScope(name), current, looks);
    current = watch.scope();
    return watch;
  }

  /** Counts the buffers that are made while it is the current one. */
  record Watch(ResourceScope scope, ResourceScope outer, int looks) implements AutoCloseable {
    /**
     * Waits for the buffers to be released.
     *
     * @throws AssertionError if some are not; its cause tells where they were made
     */
    @Override
    public void close() {
      for (int looked = 0; scope.hasOpenResources() && looked < looks; looked++) {
        LockSupport.parkNanos(1_000_000);
      }
      try {
        // Only once: it forgets what it has reported.
        check();
      } catch (IllegalStateException leak) {
        // JUnit would hide the message of an exception in one of its own, but not of an error.
        throw new AssertionError(leak.getMessage(), leak);
      } finally {
        current = outer;
      }
    }
  }

  private static final class Factory extends ResourceLeakDetectorFactory {
    @Override
    @SuppressWarnings("deprecation")
    public <T> ResourceLeakDetector<T> newResourceLeakDetector(
        Class<T> resource, int samplingInterval, long maxActive) {
      return new LeakDetector<>(resource);
    }
  }
}
