package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.Channel;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.engine.Route;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Publishes copies of jobs. A queue that they go to is created again if somebody deleted it. */
final class Copies {
  private final RabbitMqLink link;

  Copies(RabbitMqLink link) {
    this.link = link;
  }

  /** Declares what a copy needs. */
  interface Declaring {
    void on(Channel channel) throws IOException;
  }

  CompletableFuture<@Nullable Void> publish(Job job, String to, Wire.Outgoing copy) {
    return publish(
        job,
        () -> Publication.copy(to, copy, job::isHeld),
        channel -> link.topology()
            .declare(channel, link.declarations().inForce(job.queue()), link.creates()));
  }

  CompletableFuture<@Nullable Void> publish(
      Job job, Supplier<Publication> copy, Declaring declaring) {
    return link.publisher()
        .publish(copy.get())
        .exceptionallyCompose(error -> isMissing(error, job.queue())
            ? declare(job.session(), declaring)
                .thenCompose(none -> link.publisher().publish(copy.get()))
            : CompletableFuture.failedFuture(error));
  }

  /** Returns whether a queue is gone that is still declared. */
  private boolean isMissing(Throwable error, Route.Queue of) {
    return BrokerErrors.cause(error) instanceof MissingAddressException
        && link.declarations().find(of.id()) != null;
  }

  private CompletableFuture<@Nullable Void> declare(Session session, Declaring declaring) {
    CompletableFuture<@Nullable Void> done = new CompletableFuture<>();
    boolean asked = link.ask(() -> {
      try (Channel channel = session.newChannel()) {
        declaring.on(channel);
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
}
