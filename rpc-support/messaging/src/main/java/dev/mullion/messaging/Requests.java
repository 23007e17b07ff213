package dev.mullion.messaging;

import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The requests that wait for their reply, by id. Whoever takes a request out of the table ends it:
 * the reply, the timeout, the engine's failure, its user, or the stop. So it ends once.
 */
final class Requests {
  private final MessagingClock clock;
  private final PendingLimits limits;
  private final SendCounts counts;
  private final AtomicLong ids = new AtomicLong();
  private final ConcurrentHashMap<Long, PendingRequest<?>> open = new ConcurrentHashMap<>();
  private volatile @Nullable Supplier<Throwable> stopped;

  Requests(MessagingClock clock, PendingLimits limits, SendCounts counts) {
    this.clock = clock;
    this.limits = limits;
    this.counts = counts;
  }

  /** Returns the future of a reply's payload; to end it early cancels the request. */
  static <R> CompletableFuture<R> payload(CompletableFuture<Message<R>> request) {
    CompletableFuture<R> payload = request.thenApply(Message::payload);
    payload.whenComplete((reply, error) -> {
      if (!request.isDone()) {
        request.cancel(false);
      }
    });
    return payload;
  }

  /**
   * Sends a request for which the caller has taken room; its end gives that back.
   *
   * @param start when the caller's time began, by the clock
   */
  <R> CompletableFuture<Message<R>> send(
      EngineLink link,
      Declared declared,
      Subject<?, R> subject,
      Message<byte[]> message,
      Duration timeout,
      long start,
      Executor continuations) {
    long id = ids.incrementAndGet();
    Route.Subject route = new Route.Subject(subject.name());
    PendingRequest<R> request =
        new PendingRequest<>(this, id, subject, message.payload().length, link, continuations);
    open.put(id, request);
    Supplier<Throwable> error = stopped;
    if (error != null) { // the stop may not have seen this one
      stop(error);
    }
    request.timeout(clock, timeout, left(timeout, start));
    request.follow(
        () -> {
          declared.prepare(route);
          return link.request(route, id, message, left(timeout, start));
        },
        refusal -> declared.failed(route, refusal));
    return request;
  }

  private Duration left(Duration timeout, long start) {
    Duration left = timeout.minusNanos(clock.nanoTime() - start);
    return left.isNegative() ? Duration.ZERO : left;
  }

  /** Takes a reply from the engine, on any thread. */
  void replied(Reply reply) {
    PendingRequest<?> request = open.remove(reply.id());
    if (request == null) {
      counts.lateReplies.increment();
    } else {
      request.replied(reply);
    }
  }

  /** Fails all that are open. */
  void stop(Supplier<Throwable> error) {
    stopped = error;
    open.forEach((id, request) -> {
      if (take(id, request)) {
        request.stop(error.get());
      }
    });
  }

  /** Returns whether the caller is the one who ends the request. */
  boolean take(long id, PendingRequest<?> request) {
    return open.remove(id, request);
  }

  boolean isOpen(long id) {
    return open.containsKey(id);
  }

  PendingLimits limits() {
    return limits;
  }

  SendCounts counts() {
    return counts;
  }
}
