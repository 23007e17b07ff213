package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.tcp.Place.Request;
import dev.mullion.framing.testing.Await;
import io.netty.channel.DefaultEventLoop;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class RequestTimeoutsTest {
  private static final long SOON = TimeUnit.MILLISECONDS.toNanos(30);
  private static final long LATE = TimeUnit.HOURS.toNanos(1);

  private final Queue<ScheduledFuture<?>> timers = new ConcurrentLinkedQueue<>();
  private final DefaultEventLoop loop = new DefaultEventLoop() {
    @Override
    public ScheduledFuture<?> schedule(Runnable command, long delay, TimeUnit unit) {
      ScheduledFuture<?> timer = super.schedule(command, delay, unit);
      timers.add(timer);
      return timer;
    }
  };
  private final List<Request> pending = new CopyOnWriteArrayList<>();
  private final Queue<Request> timedOut = new ConcurrentLinkedQueue<>();
  private final RequestTimeouts timeouts = new RequestTimeouts(loop, () -> pending, this::timedOut);

  @AfterEach
  void endOfTheLoop() {
    loop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }

  private void timedOut(Request request) {
    pending.remove(request);
    timedOut.add(request);
  }

  private Request watched(long timeoutNanos) {
    Request request = new Request(timeoutNanos);
    pending.add(request);
    timeouts.watch(request);
    return request;
  }

  private long timersSet() {
    return timers.stream().filter(timer -> !timer.isDone()).count();
  }

  /** It was one for each, which cost more than the request itself. */
  @Test
  void manyRequestsHaveOneTimer() {
    for (int i = 0; i < 1000; i++) {
      pending.remove(watched(LATE));
    }

    assertThat(timers).hasSize(1);
  }

  @Test
  void earlierDeadlineReplacesTheTimer() throws Exception {
    final Request late = watched(LATE);
    Request soon = watched(SOON);

    Await.until("the earlier one has timed out", () -> timedOut.contains(soon));
    Await.until("the timer is set for the other", () -> timers.size() == 3 && timersSet() == 1);
    assertThat(timedOut).containsExactly(soon);
    assertThat(pending).containsExactly(late);
  }

  /** A timer that runs already cannot be cancelled: two timers were set from then on. */
  @Test
  void earlierDeadlineWhileTheTimerRuns() throws Exception {
    Request earlier = new Request(0);
    Request soon = watched(SOON);
    ScheduledFuture<?> running = timers.element();
    pending.add(new Request(LATE));
    synchronized (timeouts) {
      Await.until("its timer runs", () -> !running.isCancellable());
      pending.add(earlier);
      timeouts.watch(earlier);
    }

    Await.until(
        "the first two timers are done",
        () -> timers.size() > 2 && timers.stream().limit(2).allMatch(ScheduledFuture::isDone));
    assertThat(timersSet()).isOne();
    assertThat(timedOut).containsExactly(soon, earlier);
  }

  /** No timer was set after it, and no request timed out any more. */
  @Test
  void failureDoesNotEndTheTimeouts() throws Exception {
    AtomicInteger looks = new AtomicInteger();
    AtomicInteger ends = new AtomicInteger();
    RequestTimeouts failing = new RequestTimeouts(
        loop,
        () -> {
          failFirst(looks);
          return pending;
        },
        request -> {
          failFirst(ends);
          timedOut(request);
        });
    Request request = new Request(SOON);
    pending.add(request);

    failing.watch(request);

    Await.until("it has timed out", () -> timedOut.contains(request));
    assertThat(looks).hasValue(3);
    assertThat(ends).hasValue(2);
  }

  private static void failFirst(AtomicInteger calls) {
    if (calls.getAndIncrement() == 0) {
      throw new IllegalStateException("the first call fails");
    }
  }

  /** The timer of a request that got its reply still fires, and is then set for the next one. */
  @Test
  void deadlineAfterThatOfARequestThatIsDoneIsKept() throws Exception {
    Request next;
    // The timer does not look yet, however slow this thread is.
    synchronized (timeouts) {
      pending.remove(watched(SOON));
      next = watched(2 * SOON);
      assertThat(timers).hasSize(1);
    }

    Await.until("it has timed out", () -> timedOut.contains(next));
    assertThat(timedOut).containsExactly(next);
    Request last = watched(SOON);
    Await.until("the one made when no timer was set", () -> timedOut.contains(last));
  }

  @Test
  void greatestTimeoutNeverEnds() {
    watched(Long.MAX_VALUE);
    assertThat(timers).isEmpty();
  }

  @Test
  void nothingIsSetAfterTheEnd() {
    watched(LATE);
    timeouts.end();
    assertThat(timers).hasSize(1).allMatch(ScheduledFuture::isCancelled);

    watched(SOON);
    assertThat(timers).hasSize(1);
  }
}
