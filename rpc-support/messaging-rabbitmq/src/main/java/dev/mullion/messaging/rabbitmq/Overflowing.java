package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.QueueFullException;
import dev.mullion.messaging.engine.Route;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Pushes to queues that may be full: the broker then answers with a nack, and what follows is the
 * queue's policy. It does so a little late, so more than the capacity may be accepted under load.
 */
final class Overflowing {
  private static final long PAUSE_MILLIS = 10;

  private final Publisher publisher;
  private final Entities entities;
  private final long sendTimeout;
  private final Executor later;
  private final Map<String, LongAdder> dropped = new ConcurrentHashMap<>();

  Overflowing(Publisher publisher, Entities entities, long sendTimeout, Executor later) {
    this.publisher = publisher;
    this.entities = entities;
    this.sendTimeout = sendTimeout;
    this.later = CompletableFuture.delayedExecutor(PAUSE_MILLIS, TimeUnit.MILLISECONDS, later);
  }

  CompletableFuture<@Nullable Void> push(Route.Queue queue, Message<byte[]> message) {
    Publication first = publication(queue, message);
    CompletableFuture<@Nullable Void> done = new CompletableFuture<>();
    follow(queue, message, first, first.since, done);
    return done;
  }

  private Publication publication(Route.Queue queue, Message<byte[]> message) {
    return Publication.toQueue(entities.jobs(queue), Wire.first(message).persistent());
  }

  private void follow(
      Route.Queue queue,
      Message<byte[]> message,
      Publication publication,
      long since,
      CompletableFuture<@Nullable Void> done) {
    publisher.publish(publication).whenComplete((none, error) -> {
      if (error == null) {
        done.complete(null);
      } else if (!(error instanceof RejectedPublishException rejected)) {
        done.completeExceptionally(error);
      } else if (isBounded(queue) && queue.overflow() == Overflow.DROP_NEWEST) {
        dropped.computeIfAbsent(queue.id(), id -> new LongAdder()).increment();
        done.complete(null);
      } else if ((isBounded(queue) && queue.overflow() == Overflow.FAIL)
          || System.nanoTime() - since > sendTimeout) {
        done.completeExceptionally(full(queue, rejected));
      } else {
        again(queue, message, since, done);
      }
    });
  }

  private void again(
      Route.Queue queue,
      Message<byte[]> message,
      long since,
      CompletableFuture<@Nullable Void> done) {
    try {
      later.execute(() -> follow(queue, message, publication(queue, message), since, done));
    } catch (RejectedExecutionException e) {
      done.completeExceptionally(e);
    }
  }

  private static boolean isBounded(Route.Queue queue) {
    return queue.capacity() > 0 || queue.capacityBytes() > 0;
  }

  private MessagingException full(Route.Queue queue, RejectedPublishException rejected) {
    return isBounded(queue)
        ? new QueueFullException(
            "queue " + queue.id() + " is full: capacity " + queue.capacity() + ", capacityBytes "
                + queue.capacityBytes() + ", overflow " + queue.overflow() + " (broker "
                + publisher.where() + ")",
            rejected)
        : new BrokerAwayException(
            "broker " + publisher.where() + " cannot store messages of queue " + queue.id()
                + " within sendTimeout",
            rejected,
            true);
  }

  /** Returns how many were dropped since the queue was full. */
  long dropped(Route.Queue queue) {
    LongAdder count = dropped.get(queue.id());
    return count == null ? 0 : count.sum();
  }
}
