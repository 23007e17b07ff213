package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.Channel;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.engine.Route;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
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
    return delay(name, copy, job)
        .exceptionallyCompose(error -> BrokerErrors.cause(error) instanceof MissingAddressException
            ? declare(queue, millis, job.session()).thenCompose(none -> delay(name, copy, job))
            : CompletableFuture.failedFuture(error))
        .exceptionallyCompose(error -> job.isHeld() && !BrokerErrors.isTooLarge(error)
            ? hold(job, begin + TimeUnit.MILLISECONDS.toNanos(millis), copy, error)
            : CompletableFuture.failedFuture(error));
  }

  private CompletableFuture<@Nullable Void> delay(String name, Wire.Outgoing copy, Job job) {
    return link.publisher().publish(Publication.delayed(name, copy, job.session()));
  }

  private CompletableFuture<@Nullable Void> declare(
      Route.Queue queue, long millis, Session session) {
    CompletableFuture<@Nullable Void> done = new CompletableFuture<>();
    boolean asked = link.ask(() -> {
      try (Channel channel = session.newChannel()) {
        link.topology().declareDelay(channel, queue, millis, link.creates());
        done.complete(null);
      } catch (IOException | TimeoutException | RuntimeException e) {
        done.completeExceptionally(e);
      }
    });
    if (!asked) {
      done.completeExceptionally(new IllegalStateException("messaging is closed"));
    }
    return done;
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
        ? link.publisher()
            .publish(Publication.copy(link.entities().jobs(job.queue()), copy, job.session()))
        : CompletableFuture.failedFuture(why));
  }
}
