package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ManualClockTest {
  private final ManualClock clock = new ManualClock();
  private final List<String> ran = new ArrayList<>();

  @Test
  void standsUntilItIsAdvanced() {
    long nanos = clock.nanoTime();
    assertThat(clock.currentTimeMillis()).isEqualTo(1_767_225_600_000L);
    clock.advance(Duration.ofMillis(1500));
    assertThat(clock.nanoTime() - nanos).isEqualTo(1_500_000_000);
    assertThat(clock.currentTimeMillis()).isEqualTo(1_767_225_601_500L);
  }

  @Test
  void runsDueTimersInOrderAtTheirTimes() {
    clock.schedule(Duration.ofMillis(20), () -> ran.add("b at " + sinceStart()));
    clock.schedule(Duration.ofMillis(10), () -> ran.add("a at " + sinceStart()));
    clock.schedule(Duration.ofMillis(20), () -> ran.add("c at " + sinceStart()));
    clock.schedule(Duration.ofMillis(31), () -> ran.add("d at " + sinceStart()));
    clock.advance(Duration.ofMillis(30));
    assertThat(ran).containsExactly("a at 10", "b at 20", "c at 20");
    clock.advance(Duration.ofMillis(1));
    assertThat(ran).endsWith("d at 31");
  }

  @Test
  void runsTimersThatTimersSet() {
    clock.schedule(
        Duration.ofMillis(10),
        () -> clock.schedule(Duration.ofMillis(10), () -> ran.add("second at " + sinceStart())));
    clock.advance(Duration.ofMillis(20));
    assertThat(ran).containsExactly("second at 20");
  }

  @Test
  void doesNotRunWhatWasCancelled() {
    MessagingClock.Timer timer = clock.schedule(Duration.ofMillis(10), () -> ran.add("never"));
    timer.cancel();
    clock.advance(Duration.ofDays(1));
    assertThat(ran).isEmpty();
  }

  @Test
  void takesTheLongestDelay() {
    clock.schedule(Duration.ofSeconds(Long.MAX_VALUE), () -> ran.add("never"));
    clock.schedule(Duration.ZERO, () -> ran.add("now"));
    assertThat(ran).isEmpty();
    clock.advance(Duration.ZERO);
    assertThat(ran).containsExactly("now");
  }

  @Test
  void runsAtATime() {
    clock.advance(Duration.ofMillis(5));
    clock.scheduleAt(Duration.ofMillis(7).toNanos(), () -> ran.add("at " + sinceStart()));
    clock.scheduleAt(Long.MIN_VALUE + 1, () -> ran.add("never"));
    clock.advance(Duration.ofMillis(3));
    assertThat(ran).containsExactly("at 7");
  }

  /** Whoever sets a timer may have read the time before it passed. */
  @Test
  void runsWithoutAFurtherAdvanceIfTheTimeHasPassed() throws Exception {
    CompletableFuture<Thread> late = new CompletableFuture<>();
    clock.advance(Duration.ofMillis(5));
    clock.scheduleAt(Duration.ofMillis(5).toNanos(), () -> late.complete(Thread.currentThread()));
    assertThat(late.get(10, TimeUnit.SECONDS)).isNotSameAs(Thread.currentThread());
  }

  @Test
  void throwsWhatATaskThrewOnceAllHaveRun() {
    Error error = new AssertionError("first");
    clock.schedule(Duration.ofMillis(1), () -> {
      throw error;
    });
    clock.schedule(Duration.ofMillis(2), () -> ran.add("second"));
    assertThatThrownBy(() -> clock.advance(Duration.ofMillis(2))).isSameAs(error);
    assertThat(ran).containsExactly("second");
  }

  private long sinceStart() {
    return clock.currentTimeMillis() - 1_767_225_600_000L;
  }
}
