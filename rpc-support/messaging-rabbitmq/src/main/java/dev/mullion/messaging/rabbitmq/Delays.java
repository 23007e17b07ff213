package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.engine.Route;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The queues in which failed jobs wait. They are created with their queue, and again if they were
 * deleted. Where one does not confirm in time, the job is held here for its delay.
 */
final class Delays {
  private final RabbitMqLink link;

  Delays(RabbitMqLink link) {
    this.link = link;
  }

  /** Publishes a copy that comes back after a delay. */
  CompletableFuture<@Nullable Void> publish(Job job, long millis, Wire.Outgoing copy) {
    long begin = System.nanoTime();
    Route.Queue queue = job.queue();
    String name = link.entities().delayed(queue, millis);
    return link.copies()
        .publish(
            job,
            () -> Publication.delayed(name, copy, job::isHeld),
            channel -> link.topology().declareDelay(channel, queue, millis, link.creates()))
        .exceptionallyCompose(error -> job.isHeld() && !BrokerErrors.isTooLarge(error)
            ? hold(job, begin + TimeUnit.MILLISECONDS.toNanos(millis), copy, error)
            : CompletableFuture.failedFuture(error));
  }

  /** Holds the original for what is left of the delay; then the copy goes straight to the jobs. */
  private CompletionStage<@Nullable Void> hold(
      Job job, long end, Wire.Outgoing copy, Throwable why) {
    Logs.warn(
        "delay",
        "a delay queue of " + job.queue().id() + " does not confirm: a failed job is held here"
            + " instead (if that goes on, delete the delay queue; it is created again)",
        why);
    CompletableFuture<@Nullable Void> over = new CompletableFuture<>();
    link.after(
        () -> over.complete(null), Math.max(0, end - System.nanoTime()), TimeUnit.NANOSECONDS);
    return over.thenCompose(none -> job.isHeld()
        ? link.copies().publish(job, link.entities().jobs(job.queue()), copy)
        : CompletableFuture.failedFuture(why));
  }
}
