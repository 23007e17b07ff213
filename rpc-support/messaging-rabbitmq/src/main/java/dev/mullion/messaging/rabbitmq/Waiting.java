package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.MessagingException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;

/** Waits with a bound, for answers of the broker and for changes of other threads. */
final class Waiting {
  private Waiting() {}

  /** Waits, with the monitor held, for a condition whose changes are notified there. */
  static void until(Object monitor, long millis, BooleanSupplier condition)
      throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
    for (long left = 1; !condition.getAsBoolean() && left > 0; left = end - System.nanoTime()) {
      TimeUnit.NANOSECONDS.timedWait(monitor, Math.max(left, 1_000_000));
    }
  }

  static <T> T await(
      CompletableFuture<T> answer, long timeoutMillis, BrokerErrors errors, String what)
      throws MessagingException {
    try {
      return answer.get(timeoutMillis, TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      throw errors.of(e.getCause() == null ? e : e.getCause(), what, false);
    } catch (TimeoutException e) {
      throw new BrokerAwayException(
          "broker " + errors.where() + " has not answered within " + timeoutMillis + " ms (" + what
              + ", see answerTimeout)",
          e,
          true);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BrokerAwayException(
          "interrupted while waiting for broker " + errors.where() + " (" + what + ")", e, true);
    }
  }
}
