package dev.mullion.examples.invoices;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.RejectedMessageException;
import dev.mullion.messaging.WorkQueue;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;

/** Invoices to print: one worker gets each, at least once. Both sides share the queue. */
final class Invoices {
  static final WorkQueue<String> INVOICES = WorkQueue.builder("invoices", Codecs.utf8())
      .redelivery(Redelivery.constant(3, Duration.ofMillis(500)))
      .handlerTimeout(Duration.ofSeconds(10))
      .build();

  private static final long PRINTER_MILLIS = 200;

  private Invoices() {}

  /** Prints one invoice. To return acknowledges it; after an exception it is delivered again. */
  static void print(Delivery<String> job) throws Exception {
    if (job.payload().isBlank()) {
      throw new RejectedMessageException("empty invoice"); // a dead letter at once
    }
    Thread.sleep(PRINTER_MILLIS); // a slow printer
    if (job.payload().endsWith("3") && job.deliveryCount() == 1) {
      System.out.println(job.payload() + " failed: paper jam");
      throw new IOException("paper jam");
    }
    String again = job.deliveryCount() == 1 ? "" : ", delivery " + job.deliveryCount();
    System.out.println(job.payload() + " printed" + again);
  }

  /** Pushes invoices, and last an empty one. Once this returns, none can be lost. */
  static void push(Messaging messaging, int count) throws IOException, InterruptedException {
    for (int i = 1; i <= count; i++) {
      await(messaging.push(INVOICES, i < count ? "invoice " + i : " "));
    }
  }

  /** Returns how many invoices are neither printed nor dead letters. */
  static long left(Messaging messaging) throws IOException, InterruptedException {
    return await(messaging.queues()).stream()
        .filter(queue -> queue.name().equals(INVOICES.name()) && queue.source().isEmpty())
        .mapToLong(Invoices::left)
        .sum();
  }

  private static long left(QueueStatus queue) {
    return queue.waiting() + queue.delayed() + queue.inFlight();
  }

  static List<DeadLetter> deadLetters(Messaging messaging)
      throws IOException, InterruptedException {
    return await(messaging.deadLetters(INVOICES).peek(100));
  }

  private static <T> T await(CompletionStage<T> stage) throws IOException, InterruptedException {
    try {
      return stage.toCompletableFuture().get();
    } catch (ExecutionException e) {
      throw new IOException(e.getCause().getMessage(), e);
    }
  }
}
