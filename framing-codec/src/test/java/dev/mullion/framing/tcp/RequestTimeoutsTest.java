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
    Await.until("the timer is set for the other", () -> timers.size() == 3);
    assertThat(timedOut).containsExactly(soon);
    assertThat(pending).containsExactly(late);
    assertThat(timersSet()).isOne();
  }

  /** The timer of a request that got its reply still fires, and is then set for the next one. */
  @Test
  void deadlineAfterThatOfARequestThatIsDoneIsKept() throws Exception {
    pending.remove(watched(SOON));
    Request next = watched(2 * SOON);
    assertThat(timers).hasSize(1);

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
