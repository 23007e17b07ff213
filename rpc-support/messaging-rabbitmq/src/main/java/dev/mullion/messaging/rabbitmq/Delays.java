package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.Channel;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.engine.Route;
import java.io.IOException;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** The queues in which failed jobs wait. Each is created when it is first needed. */
final class Delays {
  private final RabbitMqLink link;
  private final Set<String> known = ConcurrentHashMap.newKeySet();

  Delays(RabbitMqLink link) {
    this.link = link;
  }

  /** Publishes a copy that comes back after a delay. */
  CompletableFuture<@Nullable Void> publish(
      Route.Queue queue, long millis, Wire.Outgoing copy, Session session) {
    String name = link.entities().delayed(queue, millis);
    if (!known.contains(name)) {
      return declare(queue, millis, session).thenCompose(none -> publish(name, copy, session));
    }
    return publish(name, copy, session).exceptionallyCompose(error -> {
      if (!(error instanceof MissingAddressException)) {
        return CompletableFuture.failedFuture(error);
      }
      known.remove(name); // deleted by hand
      return declare(queue, millis, session).thenCompose(none -> publish(name, copy, session));
    });
  }

  private CompletableFuture<@Nullable Void> publish(
      String name, Wire.Outgoing copy, Session session) {
    return link.publisher().publish(Publication.copy(name, copy, session));
  }

  private CompletableFuture<@Nullable Void> declare(
      Route.Queue queue, long millis, Session session) {
    CompletableFuture<@Nullable Void> done = new CompletableFuture<>();
    boolean asked = link.ask(() -> {
      try (Channel channel = session.newChannel()) {
        link.topology().declareDelay(channel, queue, millis, link.creates());
        known.add(link.entities().delayed(queue, millis));
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

  void forgetAll() {
    known.clear();
  }
}
