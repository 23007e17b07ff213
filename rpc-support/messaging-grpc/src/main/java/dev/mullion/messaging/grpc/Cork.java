package dev.mullion.messaging.grpc;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Lets the frames that one batch of a peer causes leave together, on all streams that they are for:
 * one write for each instead of one for each frame.
 */
final class Cork {
  private static final ThreadLocal<@Nullable Cork> CURRENT = new ThreadLocal<>();

  private final List<Outbox<?, ?>> touched = new ArrayList<>();

  private Cork() {}

  /** Runs work whose frames are written when it has returned; inside another cork, with that. */
  static void run(Runnable work) {
    if (CURRENT.get() != null) {
      work.run();
      return;
    }
    Cork cork = new Cork();
    CURRENT.set(cork);
    try {
      work.run();
    } finally {
      CURRENT.remove();
      cork.touched.forEach(Outbox::wakeHere);
    }
  }

  /** Notes that an outbox has frames; returns false if this thread has no cork. */
  static boolean add(Outbox<?, ?> outbox) {
    Cork cork = CURRENT.get();
    if (cork == null) {
      return false;
    }
    if (!cork.touched.contains(outbox)) {
      cork.touched.add(outbox);
    }
    return true;
  }
}
