package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class PendingLimitsTest {
  private static final Duration LONG = Duration.ofSeconds(10);

  private final ManualClock clock = new ManualClock();

  private PendingLimits limits(int number, long bytes) {
    return new PendingLimits(number, bytes, clock);
  }

  private static void take(PendingLimits limits, int bytes) {
    try {
      limits.take(bytes, LONG, "sendTimeout", Caller.OUTSIDE);
    } catch (QueueFullException e) {
      throw new IllegalStateException(e);
    }
  }

  /** A thread that waits for room, and what became of it. */
  private static final class Taker {
    final CompletableFuture<Boolean> took = new CompletableFuture<>(); // its interrupt flag
    final Thread thread;

    Taker(PendingLimits limits, int bytes, Caller from) {
      thread = new Thread(() -> {
        try {
          limits.take(bytes, LONG, "sendTimeout", from);
          took.complete(Thread.currentThread().isInterrupted());
        } catch (Throwable e) {
          e.addSuppressed(
              new IllegalStateException("interrupted: " + Thread.currentThread().isInterrupted()));
          took.completeExceptionally(e);
        }
      });
      thread.start();
      Waiting.untilBlocked(thread);
    }

    Throwable failure() throws Exception {
      try {
        throw new AssertionError("took room: " + took.get(20, TimeUnit.SECONDS));
      } catch (ExecutionException e) {
        return requireNonNull(e.getCause());
      }
    }
  }

  @Test
  void numberIsBounded() {
    PendingLimits limits = limits(2, 100);
    take(limits, 10);
    take(limits, 10);

    assertThatThrownBy(() -> limits.take(1, Duration.ZERO, "sendTimeout", Caller.OUTSIDE))
        .isInstanceOf(QueueFullException.class)
        .hasMessage("no room for a send of 1 bytes at once, sendTimeout is PT0S: 2 of maxPending 2"
            + " sends and 20 of maxPendingBytes 100 bytes have no answer yet");
    limits.release(10);
    take(limits, 0);
    assertThat(limits.pending()).isEqualTo(2);
    assertThat(limits.pendingBytes()).isEqualTo(10);
  }

  @Test
  void bytesAreBounded() {
    PendingLimits limits = limits(1_000_000, 100);
    take(limits, 60);
    take(limits, 40);

    assertThatThrownBy(() -> limits.take(1, Duration.ZERO, "sendTimeout", Caller.OUTSIDE))
        .isInstanceOf(QueueFullException.class)
        .hasMessageContaining("100 of maxPendingBytes 100");
    take(limits, 0);
    assertThat(limits.pending()).isEqualTo(3);
  }

  @Test
  void greatestLimitsFit() {
    PendingLimits limits = limits(1_000_000, Long.MAX_VALUE);
    for (int i = 0; i < 1_000; i++) {
      take(limits, Integer.MAX_VALUE);
    }

    assertThat(limits.pending()).isEqualTo(1_000);
    assertThat(limits.pendingBytes()).isEqualTo(1_000L * Integer.MAX_VALUE);
  }

  @Test
  void waiterGetsRoomThatIsReleased() throws Exception {
    PendingLimits limits = limits(1, 100);
    take(limits, 10);
    Taker waiter = new Taker(limits, 20, Caller.OUTSIDE);
    assertThat(waiter.took).isNotDone();

    limits.release(10);

    assertThat(waiter.took.get(20, TimeUnit.SECONDS)).isFalse();
    assertThat(limits.pendingBytes()).isEqualTo(20);
    limits.release(20);
    take(limits, 100); // the fast way is open again
    assertThat(limits.pending()).isEqualTo(1);
  }

  @Test
  void waitEndsAtItsTime() throws Exception {
    PendingLimits limits = limits(1, 100);
    take(limits, 10);
    Taker waiter = new Taker(limits, 20, Caller.OUTSIDE);

    clock.advance(LONG.minusNanos(1));
    assertThat(waiter.took).isNotDone();
    clock.advance(Duration.ofNanos(1));

    assertThat(waiter.failure())
        .isInstanceOf(QueueFullException.class)
        .hasMessageContaining("within sendTimeout PT10S: 1 of maxPending 1")
        .isNotInstanceOf(InterruptedException.class);
    limits.release(10);
    assertThat(limits.pending()).isZero();
    take(limits, 1);
  }

  @Test
  void largeOneIsNotOvertaken() throws Exception {
    PendingLimits limits = limits(10, 100);
    take(limits, 60);
    Taker large = new Taker(limits, 90, Caller.OUTSIDE);
    Taker small = new Taker(limits, 1, Caller.OUTSIDE);

    assertThatThrownBy(() -> limits.take(1, Duration.ZERO, "sendTimeout", Caller.OUTSIDE))
        .isInstanceOf(QueueFullException.class); // nor by one that does not wait
    assertThat(small.took).isNotDone();
    limits.release(60);

    assertThat(large.took.get(20, TimeUnit.SECONDS)).isFalse();
    assertThat(small.took.get(20, TimeUnit.SECONDS)).isFalse();
  }

  @Test
  void roomGoesToTheNextWhenTheFirstGivesUp() throws Exception {
    PendingLimits limits = limits(10, 100);
    take(limits, 60);
    Taker large = new Taker(limits, 90, Caller.OUTSIDE);
    Taker small = new Taker(limits, 1, Caller.OUTSIDE);

    large.thread.interrupt();

    assertThat(small.took.get(20, TimeUnit.SECONDS)).isFalse();
    assertThat(large.failure())
        .isInstanceOf(QueueFullException.class)
        .hasMessageContaining("until the thread was interrupted")
        .hasCauseInstanceOf(InterruptedException.class);
  }

  @Test
  void interruptKeepsItsFlag() throws Exception {
    PendingLimits limits = limits(1, 100);
    take(limits, 10);
    Taker waiter = new Taker(limits, 20, Caller.OUTSIDE);

    waiter.thread.interrupt();

    assertThat(waiter.failure().getSuppressed())
        .anyMatch(flag -> "interrupted: true".equals(flag.getMessage()));
  }

  @Test
  void interruptedThreadThatFindsRoomSends() throws Exception {
    PendingLimits limits = limits(1, 100);
    Thread.currentThread().interrupt();

    limits.take(10, LONG, "sendTimeout", Caller.OUTSIDE);

    assertThat(Thread.interrupted()).isTrue();
  }

  @Test
  void asyncHandlerDoesNotWait() {
    PendingLimits limits = limits(1, 100);
    take(limits, 10);

    assertThatThrownBy(() -> limits.take(1, LONG, "sendTimeout", Caller.ASYNC_HANDLER))
        .isInstanceOf(QueueFullException.class)
        .hasMessageContaining("since a send in an asynchronous handler does not wait");
  }

  @Test
  void closeOutsideLeavesHandlersAlone() throws Exception {
    PendingLimits limits = limits(1, 100);
    take(limits, 10);
    Taker outside = new Taker(limits, 1, Caller.OUTSIDE);
    Taker handler = new Taker(limits, 2, Caller.HANDLER);

    limits.closeOutside();

    assertThat(outside.failure())
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("messaging is closed");
    assertThat(handler.took).isNotDone();
    limits.release(10);
    assertThat(handler.took.get(20, TimeUnit.SECONDS)).isFalse();
  }

  @Test
  void closeRefusesAllAndTellsWhenNothingIsPending() throws Exception {
    PendingLimits limits = limits(1, 100);
    take(limits, 10);
    Taker handler = new Taker(limits, 1, Caller.HANDLER);

    CompletableFuture<?> drained = limits.close();

    assertThat(handler.failure()).hasMessage("messaging is closed");
    assertThat(drained).isNotDone();
    limits.release(10);
    assertThat(drained).isDone();
    assertThatThrownBy(() -> take(limits, 1)).hasMessage("messaging is closed");
    assertThat(limits.pending()).isZero();
  }

  /** With many sends pending, a waiter is not woken for each answer, but gets its room soon. */
  @Test
  void waiterFindsRoomForWhichItWasNotWoken() throws Exception {
    PendingLimits limits = limits(1_000, 1_000_000);
    for (int i = 0; i < 1_000; i++) {
      take(limits, 1);
    }
    Taker first = new Taker(limits, 1, Caller.OUTSIDE);
    Taker second = new Taker(limits, 1, Caller.OUTSIDE);

    limits.release(1);
    assertThat(first.took.get(20, TimeUnit.SECONDS)).isFalse();
    assertThat(second.took).isNotDone();
    for (int i = 0; i < 300; i++) {
      limits.release(1);
    }
    assertThat(second.took.get(20, TimeUnit.SECONDS)).isFalse();
    assertThat(limits.pending()).isEqualTo(701);
  }

  @Test
  void closeOfUnusedIsDone() {
    assertThat(limits(1, 1).close()).isDone();
  }

  /** Room that is granted just when the waiter gives up must not be lost, nor given twice. */
  @Test
  void manyThreadsNeverExceedTheLimits() throws Exception {
    PendingLimits limits = limits(5, 100);
    AtomicLong now = new AtomicLong();
    AtomicLong nowBytes = new AtomicLong();
    AtomicLong taken = new AtomicLong();
    List<Throwable> wrong = new CopyOnWriteArrayList<>();
    CountDownLatch running = new CountDownLatch(8);
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      SplittableRandom random = new SplittableRandom(i);
      threads.add(new Thread(() -> {
        try {
          for (int round = 0; round < 3_000; round++) {
            oneOf(limits, random, now, nowBytes, taken);
          }
        } catch (Throwable e) {
          wrong.add(e);
        } finally {
          running.countDown();
        }
      }));
    }
    threads.forEach(Thread::start);
    SplittableRandom random = new SplittableRandom(99);
    while (running.getCount() > 0) {
      clock.advance(Duration.ofMillis(random.nextInt(3)));
      if (random.nextInt(10) == 0) {
        threads.get(random.nextInt(8)).interrupt();
      }
      Thread.onSpinWait();
    }

    assertThat(wrong).isEmpty();
    assertThat(limits.pending()).isZero();
    assertThat(limits.pendingBytes()).isZero();
    assertThat(taken.get()).isGreaterThan(1_000);
    take(limits, 100);
  }

  private static void oneOf(
      PendingLimits limits,
      SplittableRandom random,
      AtomicLong now,
      AtomicLong nowBytes,
      AtomicLong taken) {
    int bytes = random.nextInt(60);
    try {
      limits.take(bytes, Duration.ofMillis(random.nextInt(4)), "sendTimeout", Caller.OUTSIDE);
    } catch (QueueFullException e) {
      if (random.nextInt(3) == 0) {
        Thread.interrupted();
      }
      return;
    }
    try {
      taken.incrementAndGet();
      if (now.incrementAndGet() > 5 || nowBytes.addAndGet(bytes) > 100) {
        throw new IllegalStateException("more than the limits: " + now + ", " + nowBytes);
      }
      if (random.nextInt(4) == 0) {
        Thread.onSpinWait();
      }
    } finally {
      nowBytes.addAndGet(-bytes);
      now.decrementAndGet();
      limits.release(bytes);
    }
  }
}
