package dev.mullion.framing.tcp;

import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** The one way in which a connection's frames are received, set by the first claim. */
final class Claim {
  private final AtomicReference<@Nullable String> way = new AtomicReference<>();

  /** Claims a way to receive frames; fails if another way was claimed. */
  void claim(String wanted) {
    if (way.get() == null) {
      way.compareAndSet(null, wanted);
    }
    String present = way.get();
    if (!wanted.equals(present)) {
      throw taken(present, wanted);
    }
  }

  /** Like {@link #claim}, for a way that can be used only once. */
  void claimOnce(String wanted) {
    if (!way.compareAndSet(null, wanted)) {
      throw taken(way.get(), wanted);
    }
  }

  static IllegalStateException taken(@Nullable String by, String wanted) {
    return new IllegalStateException(
        "frames are already received by " + by + " (not by " + wanted + ")");
  }
}
