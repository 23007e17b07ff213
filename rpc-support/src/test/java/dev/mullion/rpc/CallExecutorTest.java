package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import io.grpc.Context;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The events of a call: one at a time, in their order, whatever bodies hold their threads. */
class CallExecutorTest extends RpcTest {
  private final ThreadPoolExecutor threads = pool(1);
  private final ThreadPoolExecutor deliveries = pool(2);
  private final CallExecutor events = new CallExecutor(threads, deliveries, Context.ROOT);

  private ThreadPoolExecutor pool(int size) {
    ThreadPoolExecutor pool = CallThreads.platform(size);
    closing(pool::shutdownNow);
    return pool;
  }

  @Test
  void eventsPassABodyThatHoldsTheOnlyThread() throws Exception {
    CompletableFuture<Thread> body = new CompletableFuture<>();
    CompletableFuture<Thread> event = new CompletableFuture<>();
    events.execute(() -> events.runBody(() -> {
      body.complete(Thread.currentThread());
      awaitRelease();
    }));
    body.get();

    events.execute(() -> event.complete(Thread.currentThread()));

    assertThat(event.get()).isNotEqualTo(body.get());
  }

  @Test
  void eventThatBeganABodyGoesOnBesideNoOther() throws Exception {
    AtomicBoolean busy = new AtomicBoolean();
    CountDownLatch delivering = new CountDownLatch(1);
    CompletableFuture<Boolean> alone = new CompletableFuture<>();
    events.execute(() -> {
      events.runBody(() -> join(delivering));
      alone.complete(!busy.get());
    });
    events.execute(() -> {
      busy.set(true);
      delivering.countDown();
      awaitRelease();
      busy.set(false);
    });

    delivering.await();
    released.countDown();

    assertThat(alone.get()).isTrue();
  }

  /** Many calls with few threads; in each, events of which the first holds a body for a while. */
  @Test
  void eventsOfManyCallsRunOneAtATimeInTheirOrder() throws Exception {
    Random random = new Random(7);
    int calls = 300;
    int each = 40;
    List<List<Integer>> ran = new ArrayList<>();
    AtomicInteger wrong = new AtomicInteger();
    AtomicInteger bodies = new AtomicInteger();
    for (int i = 0; i < calls; i++) {
      List<Integer> order = Collections.synchronizedList(new ArrayList<>());
      ran.add(order);
      CallExecutor call = new CallExecutor(threads, deliveries, Context.ROOT);
      AtomicBoolean busy = new AtomicBoolean();
      int body = random.nextInt(each);
      int until = body + random.nextInt(each - body);
      CountDownLatch over = new CountDownLatch(1);
      for (int e = 0; e < each; e++) {
        int number = e;
        call.execute(() -> {
          wrong.addAndGet(busy.compareAndSet(false, true) ? 0 : 1);
          order.add(number);
          if (number == until) {
            over.countDown();
          }
          if (number == body) {
            busy.set(false);
            call.runBody(() -> {
              CallExecutor.run(() -> join(over));
              bodies.incrementAndGet();
            });
            wrong.addAndGet(busy.compareAndSet(false, true) ? 0 : 1);
          }
          busy.set(false);
        });
      }
    }

    Await.until("all bodies have ended", () -> bodies.get() == calls);
    Await.until("all have run", () -> ran.stream().allMatch(order -> order.size() == each));
    assertThat(wrong).hasValue(0);
    List<Integer> expected = IntStream.range(0, each).boxed().toList();
    assertThat(ran).allMatch(expected::equals);
  }

  private static void join(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void endRunsThoughTheExecutorIsFull() throws Exception {
    AtomicBoolean full = new AtomicBoolean();
    CallExecutor ofUsers = new CallExecutor(
        task -> {
          if (full.get()) {
            throw new RejectedExecutionException("full");
          }
          Threads.run(task).join();
        },
        deliveries,
        Context.ROOT);
    AtomicInteger ran = new AtomicInteger();
    ofUsers.execute(ran::incrementAndGet);
    full.set(true);

    assertThatThrownBy(() -> ofUsers.execute(() -> ran.addAndGet(100)))
        .isInstanceOf(RejectedExecutionException.class);
    ofUsers.executeAnyway(ran::incrementAndGet);

    Await.until("the end has run", () -> ran.get() == 2);
  }
}
