package dev.mullion.rpc;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Reads the messages of a stream, one after the other, and waits for each. Two of them are in memory at
 * most: the one that was read last and the next; the peer waits with the others.
 *
 * <pre>{@code
 * for (HelloRequest request : requests) {
 *   names.add(request.getName());
 * }
 * }</pre>
 *
 * <p>The loop ends when the peer has ended its stream well. If it has not, the iterator throws a {@link
 * StatusRuntimeException}; with {@code CANCELLED} if the thread is interrupted, which it stays. One
 * thread may read at a time, through any of the iterators, which all go on from where the stream is.
 */
public final class StreamReader<T> implements Iterable<T> {
  private final @Nullable CallEvents events;
  private final IntConsumer request;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private @Nullable T next;
  private boolean ended;
  private @Nullable StatusRuntimeException error;

  /** Takes what asks for more; the first has been asked for. Without events they come on other threads. */
  StreamReader(@Nullable CallEvents events, IntConsumer request) {
    this.events = events;
    this.request = request;
  }

  @Override
  public Iterator<T> iterator() {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return await() != null;
      }

      @Override
      public T next() {
        return take();
      }
    };
  }

  private T take() {
    T message = await();
    if (message == null) {
      throw new NoSuchElementException("the stream has ended");
    }
    lock.lock();
    try {
      next = null;
    } finally {
      lock.unlock();
    }
    request.accept(1);
    return message;
  }

  /** Returns the next message, or null at the end. */
  private @Nullable T await() {
    try {
      if (events != null && events.isCurrent()) {
        events.runUntil(this::isNews);
      }
      lock.lockInterruptibly();
      try {
        while (!isNews()) {
          changed.await();
        }
        if (next == null && error != null) {
          throw error;
        }
        return next;
      } finally {
        lock.unlock();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw Status.CANCELLED
          .withDescription("interrupted while waiting for a message")
          .withCause(e)
          .asRuntimeException();
    }
  }

  private boolean isNews() {
    lock.lock();
    try {
      return next != null || ended;
    } finally {
      lock.unlock();
    }
  }

  private void put(@Nullable T message, @Nullable Throwable failed, boolean last) {
    lock.lock();
    try {
      if (message != null) {
        next = message;
      }
      if (last && !ended) {
        ended = true;
        error = failed == null ? null : exception(failed);
      }
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private static StatusRuntimeException exception(Throwable failed) {
    return failed instanceof StatusRuntimeException known
        ? known
        : Status.fromThrowable(failed).asRuntimeException(Status.trailersFromThrowable(failed));
  }

  /** Ends it in its peer's place, unless it has ended. */
  void fail(Throwable error) {
    put(null, error, true);
  }

  /** Returns what takes the messages from gRPC. */
  StreamObserver<T> observer() {
    return new StreamObserver<>() {
      @Override
      public void onNext(T message) {
        put(message, null, false);
      }

      @Override
      public void onError(Throwable error) {
        fail(error);
      }

      @Override
      public void onCompleted() {
        put(null, null, true);
      }
    };
  }
}
