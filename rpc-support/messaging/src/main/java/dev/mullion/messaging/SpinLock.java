package dev.mullion.messaging;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A lock that is held for a moment only: who finds it taken spins, and parks only if its holder
 * lost its core. Not reentrant. What it guards extends it, so that both are in one cache line.
 */
abstract class SpinLock {
  private static final int SPINS = 200;
  private static final long PAUSE = TimeUnit.MICROSECONDS.toNanos(20);
  private static final VarHandle LOCKED;

  static {
    try {
      LOCKED = MethodHandles.lookup().findVarHandle(SpinLock.class, "locked", boolean.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  @SuppressWarnings("unused") // by LOCKED
  private boolean locked;

  final void lock() {
    int tries = 0;
    while (!LOCKED.compareAndSet(this, false, true)) {
      if (++tries < SPINS) {
        Thread.onSpinWait();
      } else {
        LockSupport.parkNanos(this, PAUSE);
      }
    }
  }

  final void unlock() {
    LOCKED.setRelease(this, false);
  }
}
