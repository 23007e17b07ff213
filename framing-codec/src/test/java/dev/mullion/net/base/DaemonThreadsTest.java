package dev.mullion.net.base;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DaemonThreadsTest {
  private final List<String> ran = new CopyOnWriteArrayList<>();
  private final CountDownLatch released = new CountDownLatch(1);

  /** How many more threads the system can start. */
  private int left;

  private final ThreadFactory factory = task -> {
    if (left-- <= 0) {
      throw new OutOfMemoryError("unable to create native thread, pretended");
    }
    return new Thread(task);
  };

  private final DaemonThreads.Pool pool =
      new DaemonThreads.Pool(3, factory, (task, stopped) -> ran.add("rejected"));

  @AfterEach
  void close() {
    released.countDown();
    pool.shutdownNow();
  }

  private void block() {
    try {
      released.await(20, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void taskWithoutANewThreadWaitsForARunningOne() throws Exception {
    left = 1;
    pool.execute(this::block);
    pool.execute(() -> ran.add("second"));
    assertThat(pool.getQueue()).hasSize(1);

    released.countDown();

    Await.until("the second has run", () -> ran.equals(List.of("second")));
    assertThat(pool.getPoolSize()).isEqualTo(1);
  }

  @Test
  void taskWithoutAnyThreadWaitsForTheNextTask() throws Exception {
    pool.execute(() -> ran.add("first"));
    assertThat(pool.getQueue()).hasSize(1);
    left = 1;

    pool.execute(() -> ran.add("second"));

    Await.until("both have run", () -> ran.size() == 2);
    assertThat(ran).containsExactlyInAnyOrder("first", "second");
  }

  @Test
  void taskAfterTheShutdownIsRejected() {
    pool.shutdown();

    pool.execute(() -> ran.add("late"));

    assertThat(ran).containsExactly("rejected");
  }
}
