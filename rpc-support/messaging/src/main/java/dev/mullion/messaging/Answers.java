package dev.mullion.messaging;

import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The futures of users that wait for an answer of the engine. Whatever the engine's stage does,
 * each ends once: it throws, fails, completes twice, or never, which the stop ends. An answer that
 * is there when the engine returns completes the future at once; a later one on a callback thread.
 */
final class Answers {
  private static final int MOST_BACKLOG = 1024;

  private final Executor callbacks;
  private final Set<Answer<?>> open = ConcurrentHashMap.newKeySet();
  private final AtomicInteger backlog = new AtomicInteger(); // futures that wait for a thread
  private volatile @Nullable Supplier<Throwable> stopped;

  Answers(Executor callbacks) {
    this.callbacks = callbacks;
  }

  /** Returns the future of what the engine is asked. */
  <T extends @Nullable Object> CompletableFuture<T> ask(Callable<CompletionStage<T>> question) {
    return ask(question, error -> {});
  }

  /**
   * Returns the future of what the engine is asked.
   *
   * @param ended called once, before the future completes, with the failure or {@code null}
   */
  <T extends @Nullable Object> CompletableFuture<T> ask(
      Callable<CompletionStage<T>> question, Consumer<? super @Nullable Throwable> ended) {
    return ask(question, ended, callbacks);
  }

  /**
   * Returns the future of what the engine is asked.
   *
   * @param continuations where the future completes if the answer comes later
   */
  <T extends @Nullable Object> CompletableFuture<T> ask(
      Callable<CompletionStage<T>> question,
      Consumer<? super @Nullable Throwable> ended,
      Executor continuations) {
    Answer<T> answer = new Answer<>(ended, continuations);
    try {
      answer.follow(question.call());
    } catch (Throwable e) {
      answer.accept(null, e);
    } finally {
      answer.asking = null;
    }
    return answer;
  }

  /**
   * Fails the futures that are open, and from now on all that the engine does not answer at once.
   */
  void stop(Supplier<Throwable> error) {
    stopped = error;
    open.forEach(answer -> answer.stop(error.get()));
    open.clear();
  }

  /** Returns what a stage has failed with, without the wrapping that stages add. */
  static Throwable cause(Throwable error) {
    Throwable cause = error;
    while (cause instanceof CompletionException || cause instanceof ExecutionException) {
      Throwable next = cause.getCause();
      if (next == null) {
        break;
      }
      cause = next;
    }
    return cause;
  }

  private final class Answer<T extends @Nullable Object> extends CompletableFuture<T>
      implements BiConsumer<@Nullable T, @Nullable Throwable> {
    private final Consumer<? super @Nullable Throwable> ended;
    private final Executor continuations;
    private final AtomicBoolean answered = new AtomicBoolean();
    private @Nullable Thread asking = Thread.currentThread(); // null, or seen as another's, later

    Answer(Consumer<? super @Nullable Throwable> ended, Executor continuations) {
      this.ended = ended;
      this.continuations = continuations;
    }

    void follow(@Nullable CompletionStage<T> stage) {
      if (stage == null) {
        throw new IllegalStateException("the engine returned no stage");
      }
      stage.whenComplete(this);
      asking = null;
      if (!answered.get()) {
        open.add(this);
        Supplier<Throwable> error = stopped;
        if (error != null) { // the stop may not have seen this one
          stop(error.get());
        }
        if (answered.get()) {
          open.remove(this);
        }
      }
    }

    @Override
    public void accept(@Nullable T value, @Nullable Throwable error) {
      if (!answered.compareAndSet(false, true)) {
        return;
      }
      if (asking == Thread.currentThread()) {
        end(error);
        finish(value, error);
      } else {
        open.remove(this);
        later(value, error);
      }
    }

    /**
     * Completes on a callback thread. The room of a send is free as soon as the engine has
     * answered, unless many futures wait for a callback thread: then senders have to wait for
     * these.
     */
    private void later(@Nullable T value, @Nullable Throwable error) {
      boolean endNow = backlog.getAndIncrement() < MOST_BACKLOG;
      if (endNow) {
        end(error);
      }
      continuations.execute(() -> {
        backlog.decrementAndGet();
        if (!endNow) {
          end(error);
        }
        finish(value, error);
      });
    }

    /** Counts at once, so that a stop leaves nothing pending behind. */
    void stop(Throwable error) {
      if (answered.compareAndSet(false, true)) {
        end(error);
        continuations.execute(() -> finish(null, error));
      }
    }

    private void end(@Nullable Throwable error) {
      try {
        ended.accept(error == null ? null : cause(error));
      } catch (Throwable e) {
        LimitedLog.warn("answer", "an answer of the engine could not be counted", e);
      }
    }

    @SuppressWarnings("NullAway") // A stage of Void completes with null.
    private void finish(@Nullable T value, @Nullable Throwable error) {
      if (error == null) {
        complete(value);
      } else {
        completeExceptionally(cause(error));
      }
    }

    /** Stages that a user derives are plain ones. */
    @Override
    public <U> CompletableFuture<U> newIncompleteFuture() {
      return new CompletableFuture<>();
    }
  }
}
