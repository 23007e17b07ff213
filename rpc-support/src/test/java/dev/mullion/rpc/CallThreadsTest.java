package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class CallThreadsTest extends RpcTest {
  @Test
  void platformThreadsAreBoundedAndDaemons() throws Exception {
    ThreadPoolExecutor threads = CallThreads.platform(2);
    closing(threads::shutdownNow);

    var tasks = IntStream.range(0, 5)
        .<Future<?>>mapToObj(i -> threads.submit(this::awaitRelease))
        .toList();
    assertThat(threads.getPoolSize()).isEqualTo(2);
    assertThat(threads.getQueue()).hasSize(3);
    released.countDown();
    for (Future<?> task : tasks) {
      task.get();
    }

    Thread thread = threads.submit(Thread::currentThread).get();
    assertThat(thread.getName()).startsWith(CallThreads.NAME);
    assertThat(thread.isDaemon()).isTrue();
  }

  @Test
  void threadsAreVirtualWhereTheJdkHasThem() throws Exception {
    ExecutorService threads = CallThreads.create(2);
    closing(threads::shutdownNow);

    String thread = threads.submit(() -> Thread.currentThread().toString()).get();

    if (Runtime.version().feature() >= 21) {
      assertThat(thread).startsWith("VirtualThread[").contains(CallThreads.NAME);
    } else {
      assertThat(thread).startsWith("Thread[" + CallThreads.NAME);
    }
  }

  /** A late task of gRPC's that was rejected left a message unreleased. */
  @Test
  void taskAfterTheShutdownRunsOnTheSpot() {
    ExecutorService threads = CallThreads.create(2);
    threads.shutdown();
    StringBuilder ran = new StringBuilder();

    CallThreads.alsoAfterShutdown(threads)
        .execute(() -> ran.append(Thread.currentThread().getName()));

    assertThat(ran).hasToString(Thread.currentThread().getName());
  }
}
