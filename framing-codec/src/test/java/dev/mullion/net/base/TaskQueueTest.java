package dev.mullion.net.base;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.Await;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor.AbortPolicy;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class TaskQueueTest {
  private static final int THREADS = 32;

  private final ThreadPoolExecutor pool =
      DaemonThreads.platform("task-queue-", THREADS, new AbortPolicy());
  private final TaskQueue queue = new TaskQueue();
  private final CountDownLatch released = new CountDownLatch(1);

  @AfterEach
  void close() throws Exception {
    released.countDown();
    pool.shutdownNow();
    assertThat(pool.awaitTermination(20, SECONDS)).isTrue();
  }

  private boolean block() throws InterruptedException {
    return released.await(60, SECONDS);
  }

  private static boolean isIdle(Thread thread) {
    return thread.getState() == Thread.State.TIMED_WAITING;
  }

  @Test
  void taskIsOfferedToIdleThreadsOnly() throws Exception {
    List<Runnable> taken = new ArrayList<>();
    assertThat(queue.offer(() -> {})).isFalse();
    Thread thread = new Thread(() -> {
      try {
        taken.add(queue.take());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    });
    thread.start();
    Await.until("it is idle", () -> isIdle(thread));

    Runnable task = () -> {};
    assertThat(queue.offer(task)).isTrue();

    thread.join();
    assertThat(taken).containsExactly(task);
    assertThat(queue.offer(() -> {})).isFalse();
    assertThat(queue).isEmpty();
  }

  @Test
  void waitingEndsAfterItsTimeAndByAnInterrupt() throws Exception {
    assertThat(queue.poll(1, MILLISECONDS)).isNull();

    Thread.currentThread().interrupt();
    assertThatThrownBy(queue::take).isInstanceOf(InterruptedException.class);

    assertThat(Thread.interrupted()).isFalse();
    assertThat(queue.offer(() -> {})).as("no thread is idle").isFalse();
  }

  @Test
  void waitingTasksAreRemovedAndDrained() {
    Runnable first = () -> {};
    Runnable second = () -> {};
    Runnable third = () -> {};
    queue.put(first);
    queue.put(second);
    queue.put(third);

    assertThat(queue).hasSize(3).containsExactly(first, second, third);
    assertThat(queue.remove(second)).isTrue();
    assertThat(queue.remove(second)).isFalse();
    assertThat(queue.peek()).isSameAs(first);
    List<Runnable> drained = new ArrayList<>();
    assertThat(queue.drainTo(drained, 1)).isEqualTo(1);
    assertThat(queue.drainTo(drained)).isEqualTo(1);
    assertThat(drained).containsExactly(first, third);
    assertThat(queue.poll()).isNull();
  }

  @Test
  void threadThatWasBusyLastRunsTheNextTask() throws Exception {
    CountDownLatch begun = new CountDownLatch(3);
    List<Future<Thread>> all = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      all.add(pool.submit(() -> {
        begun.countDown();
        block();
        return Thread.currentThread();
      }));
    }
    assertThat(begun.await(60, SECONDS)).isTrue();
    released.countDown();
    for (Future<Thread> each : all) {
      Thread thread = each.get(60, SECONDS);
      Await.until("it is idle", () -> isIdle(thread));
    }

    Callable<Thread> task = Thread::currentThread;
    Thread last = pool.submit(task).get(60, SECONDS);
    for (int i = 0; i < 20; i++) {
      Await.until("it is idle", () -> isIdle(last));
      assertThat(pool.submit(task).get(60, SECONDS)).isSameAs(last);
    }
    assertThat(pool.getPoolSize()).isEqualTo(3);
  }

  /** Each task but the last ends only when the next one has begun, on a thread of its own. */
  @Test
  void taskThatBlocksHoldsUpNoOther() throws Exception {
    for (int round = 0; round < 200; round++) {
      List<CountDownLatch> begun = new ArrayList<>();
      for (int i = 0; i <= THREADS; i++) {
        begun.add(new CountDownLatch(1));
      }
      begun.get(THREADS).countDown();
      List<Future<Boolean>> all = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        CountDownLatch own = begun.get(i);
        CountDownLatch next = begun.get(i + 1);
        all.add(pool.submit(() -> {
          own.countDown();
          return next.await(60, SECONDS);
        }));
      }
      for (Future<Boolean> each : all) {
        assertThat(each.get(60, SECONDS)).isTrue();
      }
    }
    assertThat(pool.getLargestPoolSize()).isLessThanOrEqualTo(THREADS);
  }

  /** Threads end and are interrupted all the time, and tasks are removed. */
  @Test
  void noTaskIsLost() throws Exception {
    Random random = new Random(7);
    AtomicInteger ran = new AtomicInteger();
    int expected = 0;
    for (int round = 0; round < 20_000; round++) {
      expected++;
      pool.execute(ran::incrementAndGet);
      if (round % 64 == 0) {
        // A shorter time interrupts the idle threads.
        pool.setKeepAliveTime(1 + random.nextInt(200_000), NANOSECONDS);
      }
      if (random.nextInt(16) == 0) {
        Runnable removed = ran::incrementAndGet;
        pool.execute(removed);
        expected += pool.remove(removed) ? 0 : 1;
      }
      if (random.nextInt(32) == 0) {
        int all = expected;
        Await.until("all have run", () -> ran.get() == all);
      }
    }
    int all = expected;
    Await.until("all have run", () -> ran.get() == all);
    assertThat(pool.getQueue()).isEmpty();
  }

  @Test
  void tasksBeyondTheThreadsWaitInOrder() throws Exception {
    CountDownLatch begun = new CountDownLatch(THREADS);
    for (int i = 0; i < THREADS; i++) {
      pool.submit(() -> {
        begun.countDown();
        return block();
      });
    }
    assertThat(begun.await(60, SECONDS)).isTrue();
    Runnable first = () -> {};
    Runnable second = () -> {};
    pool.execute(first);
    pool.execute(second);

    assertThat(pool.getPoolSize()).isEqualTo(THREADS);
    assertThat(pool.shutdownNow()).containsExactly(first, second);
  }
}
