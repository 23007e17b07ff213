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
 * Reads the messages of a stream one by one, and waits for each. At most two are in memory: the
 * last one read and the next; the peer waits with further ones.
 *
 * <pre>{@code
 * for (HelloRequest request : requests) {
 *   names.add(request.getName());
 * }
 * }</pre>
 *
 * <p>The loop ends when the peer completes its stream. If the stream fails, the iterator throws a
 * {@link StatusRuntimeException}. If the thread is interrupted, its status is {@code CANCELLED} and
 * the thread stays interrupted. Any thread may read, one at a time, through any of the iterators;
 * all of them share the position in the stream. In a service another thread may read while the
 * method's body waits for it.
 */
public final class StreamReader<T> implements Iterable<T> {
  private final IntConsumer request;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private @Nullable T next;
  private boolean ended;
  private @Nullable StatusRuntimeException error;

  /** Takes the function that requests messages; the first one has been requested. */
  StreamReader(IntConsumer request) {
    this.request = request;
  }

  @Override
  public Iterator<T> iterator() {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return await(false) != null;
      }

      @Override
      public T next() {
        return take();
      }
    };
  }

  private T take() {
    T message = await(true);
    if (message == null) {
      throw new NoSuchElementException("the stream has ended");
    }
    request.accept(1);
    return message;
  }

  /** Returns the next message, or null at the end. */
  private @Nullable T await(boolean take) {
    try {
      lock.lockInterruptibly();
      try {
        while (next == null && !ended) {
          changed.await();
        }
        if (next == null && error != null) {
          throw error;
        }
        T message = next;
        next = take ? null : next;
        return message;
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

  private void put(@Nullable T message, @Nullable StatusRuntimeException failed, boolean last) {
    lock.lock();
    try {
      if (message != null) {
        next = message;
      }
      if (last && !ended) {
        ended = true;
        error = failed;
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

  /** Fails the stream on the peer's behalf, unless it has ended. */
  void fail(Throwable error) {
    put(null, exception(error), true);
  }

  /** Returns the observer that receives the messages from gRPC. */
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
