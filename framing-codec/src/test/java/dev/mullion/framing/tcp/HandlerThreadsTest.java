package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.mullion.framing.testing.Await;
import dev.mullion.net.base.DaemonThreads;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class HandlerThreadsTest {
  private static final boolean VIRTUAL = Runtime.version().feature() >= 21;

  private final CountDownLatch release = new CountDownLatch(1);
  private @Nullable ExecutorService threads;

  @AfterEach
  void end() throws Exception {
    release.countDown();
    if (threads != null) {
      threads.shutdownNow();
      assertThat(threads.awaitTermination(20, TimeUnit.SECONDS)).isTrue();
    }
  }

  @Test
  void kindIsTheBestOfTheJdk() throws Exception {
    threads = HandlerThreads.create(2);

    Thread thread = threads.submit(Thread::currentThread).get();

    assertThat(threads instanceof ThreadPoolExecutor).isEqualTo(!VIRTUAL);
    assertThat(isVirtual(thread)).isEqualTo(VIRTUAL);
    assertThat(thread.getName()).isEqualTo("mullion-connection-1");
    assertThat(thread.isDaemon()).isTrue();
  }

  @Test
  void virtualThreadsHaveNoLimit() throws Exception {
    assumeTrue(VIRTUAL, "this JDK has no virtual threads");
    threads = HandlerThreads.create(1);

    CountDownLatch blocked = new CountDownLatch(1000);
    List<Future<String>> names = new ArrayList<>();
    for (int i = 0; i < 1000; i++) {
      names.add(threads.submit(() -> {
        blocked.countDown();
        release.await();
        return Thread.currentThread().getName();
      }));
    }

    assertThat(blocked.await(20, TimeUnit.SECONDS)).isTrue();
    release.countDown();
    assertThat(names.get(0).get()).isEqualTo("mullion-connection-1");
    assertThat(names.get(999).get()).isEqualTo("mullion-connection-1000");
  }

  @Test
  void noVirtualThreadsOnAnOldJdk() {
    assumeTrue(!VIRTUAL, "this JDK has virtual threads");
    assertThat(DaemonThreads.virtual("x")).isNull();
  }

  @Test
  void taskBeyondTheLimitWaitsForAThread() throws Exception {
    ThreadPoolExecutor pool = HandlerThreads.platform(2);
    threads = pool;
    CountDownLatch blocked = new CountDownLatch(2);
    for (int i = 0; i < 2; i++) {
      pool.submit(() -> {
        blocked.countDown();
        return release.await(20, TimeUnit.SECONDS);
      });
    }
    Future<String> third = pool.submit(() -> Thread.currentThread().getName());

    assertThat(blocked.await(20, TimeUnit.SECONDS)).isTrue();
    assertThat(pool.getPoolSize()).isEqualTo(2);
    assertThat(pool.getQueue()).hasSize(1);
    assertThat(third.isDone()).isFalse();
    release.countDown();
    assertThat(third.get(20, TimeUnit.SECONDS)).matches("mullion-connection-[12]");
    assertThat(pool.getLargestPoolSize()).isEqualTo(2);
  }

  @Test
  void idlePlatformThreadsEnd() throws Exception {
    ThreadPoolExecutor pool = HandlerThreads.platform(3);
    threads = pool;
    Thread thread = pool.submit(Thread::currentThread).get();
    assertThat(thread.isDaemon()).isTrue();
    assertThat(pool.getKeepAliveTime(TimeUnit.SECONDS)).isEqualTo(60);

    pool.setKeepAliveTime(1, TimeUnit.MILLISECONDS);

    Await.until("no thread is left", () -> pool.getPoolSize() == 0);
    assertThat(pool.submit(() -> Thread.currentThread().getName()).get())
        .isEqualTo("mullion-connection-2");
  }

  private static boolean isVirtual(Thread thread) throws Exception {
    return VIRTUAL && (boolean) Thread.class.getMethod("isVirtual").invoke(thread);
  }
}
