package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.MessagingException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Waits for answers of the broker, with a bound. */
final class Waiting {
  private Waiting() {}

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
