package dev.mullion.messaging.tck;

import dev.mullion.messaging.AsyncHandler;
import dev.mullion.messaging.Handler;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.Replier;
import dev.mullion.messaging.ReplierBuilder;
import dev.mullion.messaging.SubscriberBuilder;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.WorkerBuilder;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** The two kinds of handlers: cases in which one fails run with both. */
enum HandlerKind {
  BLOCKING,
  ASYNC;

  private static final ExecutorService THREADS = new ThreadPoolExecutor(
      0, Integer.MAX_VALUE, 1, TimeUnit.SECONDS, new SynchronousQueue<>(), task -> {
        Thread thread = new Thread(task, "async-handler");
        thread.setDaemon(true);
        return thread;
      });

  <T> Subscription start(WorkerBuilder<T> worker, Handler<T> handler) throws MessagingException {
    return this == BLOCKING ? worker.start(handler) : worker.startAsync(async(handler));
  }

  <T> Subscription start(SubscriberBuilder<T> subscriber, Handler<T> handler)
      throws MessagingException {
    return this == BLOCKING ? subscriber.start(handler) : subscriber.startAsync(async(handler));
  }

  <Q, R> Subscription start(ReplierBuilder<Q, R> builder, Replier<Q, R> replier)
      throws MessagingException {
    return this == BLOCKING
        ? builder.start(replier)
        : builder.startAsync(request -> onThread(() -> replier.reply(request)));
  }

  private static <T> AsyncHandler<T> async(Handler<T> handler) {
    return delivery -> onThread(() -> {
      handler.handle(delivery);
      return null;
    });
  }

  /** Runs a blocking handler on a thread of ours. */
  private static <V> CompletableFuture<V> onThread(Callable<V> handler) {
    CompletableFuture<V> result = new CompletableFuture<>();
    THREADS.execute(() -> {
      try {
        result.complete(handler.call());
      } catch (Throwable e) {
        result.completeExceptionally(e);
      }
    });
    return result;
  }
}
