package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
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
    ServerThreads threads = ServerThreads.of(RpcServer.builder());
    closing(threads::shutdownNow);
    CompletableFuture<String> found = new CompletableFuture<>();

    requireNonNull(threads.calls)
        .execute(() -> found.complete(Thread.currentThread().toString()));

    String thread = found.get();

    if (Runtime.version().feature() >= 21) {
      assertThat(thread).startsWith("VirtualThread[").contains(CallThreads.NAME);
    } else {
      assertThat(thread).startsWith("Thread[" + CallThreads.NAME);
    }
  }

  /** A late task of gRPC's that was rejected left a message unreleased. */
  @Test
  void tasksAfterTheShutdownRunToo() throws Exception {
    ServerThreads threads = ServerThreads.of(RpcServer.builder());
    threads.shutdown();

    for (Executor each :
        List.of(requireNonNull(threads.calls), threads.deliveries, threads.callbacks)) {
      CompletableFuture<Thread> ran = new CompletableFuture<>();
      each.execute(() -> ran.complete(Thread.currentThread()));
      assertThat(ran.get().getName()).isEqualTo(CallThreads.NAME + "late");
    }
  }
}
