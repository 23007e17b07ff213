package dev.mullion.framing.tcp;

import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * The way in which the frames of a connection are received: there is one, set by the first to ask.
 */
final class Claim {
  private final AtomicReference<@Nullable String> way = new AtomicReference<>();

  /** Makes sure that frames are received in one way only. */
  void claim(String wanted) {
    if (way.get() == null) {
      way.compareAndSet(null, wanted);
    }
    String present = way.get();
    if (!wanted.equals(present)) {
      throw taken(present, wanted);
    }
  }

  /** Like {@link #claim}, for a way that there can be only once. */
  void claimOnce(String wanted) {
    if (!way.compareAndSet(null, wanted)) {
      throw taken(way.get(), wanted);
    }
  }

  static IllegalStateException taken(@Nullable String by, String wanted) {
    return new IllegalStateException(
        "frames are received by " + by + " already (not by " + wanted + ")");
  }
}
