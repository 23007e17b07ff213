package dev.mullion.messaging.grpc;

import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Waits for conditions. */
final class Eventually {
  private static final long SECONDS = 10;

  private Eventually() {}

  static void isTrue(String what, BooleanSupplier condition) {
    nonNull(what, () -> condition.getAsBoolean() ? Boolean.TRUE : null);
  }

  static <T> T nonNull(String what, Supplier<@Nullable T> value) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
    while (true) {
      T seen = value.get();
      if (seen != null) {
        return seen;
      }
      if (System.nanoTime() - end > 0) {
        throw new AssertionError("no " + what + " within " + SECONDS + " s");
      }
      LockSupport.parkNanos(500_000);
    }
  }

  static <T> T get(String what, CompletionStage<T> stage) {
    try {
      return stage.toCompletableFuture().get(SECONDS, TimeUnit.SECONDS);
    } catch (Exception e) {
      throw new AssertionError(what + ": " + e, e);
    }
  }

  static Throwable failure(String what, CompletionStage<?> stage) {
    try {
      Object value = stage.toCompletableFuture().get(SECONDS, TimeUnit.SECONDS);
      throw new AssertionError(what + " completed with " + value);
    } catch (ExecutionException e) {
      return WireErrors.cause(e);
    } catch (Exception e) {
      throw new AssertionError(what + ": " + e, e);
    }
  }
}
