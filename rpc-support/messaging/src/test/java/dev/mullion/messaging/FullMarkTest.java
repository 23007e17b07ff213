package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class FullMarkTest {
  private static final long CAPACITY = 100;
  private static final Duration SHORT = Duration.ofMillis(20); // of 50

  private final FullMark mark = new FullMark();

  /** Waits on a thread of its own, and returns how long that took. */
  private CompletableFuture<Duration> wait(boolean interrupted) {
    CompletableFuture<Duration> waited = new CompletableFuture<>();
    new Thread(() -> {
          long start = System.nanoTime();
          if (interrupted) {
            Thread.currentThread().interrupt();
          }
          mark.awaitRoom();
          waited.complete(Duration.ofNanos(System.nanoTime() - start));
        })
        .start();
    return waited;
  }

  private static Duration within(CompletableFuture<Duration> waited) throws Exception {
    return waited.get(20, TimeUnit.SECONDS);
  }

  @Test
  void nobodyWaitsWithoutTheMark() throws Exception {
    assertThat(mark.update(false, true, 0, CAPACITY)).isFalse();
    assertThat(within(wait(false))).isLessThan(Duration.ofSeconds(10));
  }

  @Test
  void waitsOnlyForAMoment() throws Exception {
    mark.update(true, false, 0, CAPACITY);
    assertThat(within(wait(false))).isGreaterThan(SHORT);
  }

  @Test
  void isWokenOnceThereIsMuchRoom() throws Exception {
    mark.update(true, false, 0, CAPACITY);
    CompletableFuture<Duration> waited = wait(false);
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    boolean wakes = false;
    while (!wakes && !waited.isDone() && System.nanoTime() - end < 0) {
      assertThat(mark.update(false, false, 1, CAPACITY)).isFalse(); // room, but not much
      wakes = mark.update(false, true, 1, CAPACITY);
      if (!wakes && !waited.isDone()) {
        mark.update(true, false, 1, CAPACITY); // it was not there yet
      }
    }
    mark.wake();
    within(waited);
    assertThat(mark.update(false, true, 1, CAPACITY)).isFalse(); // nobody is left to wake
  }

  @Test
  void afterOneWaitInVainNobodyWaitsUntilAQuarterWasReceived() throws Exception {
    mark.update(true, false, 0, CAPACITY);
    assertThat(within(wait(false))).isGreaterThan(SHORT);
    assertThat(isWaitShort()).isTrue();
    mark.update(true, false, CAPACITY / 4, CAPACITY);
    assertThat(isWaitShort()).isTrue();
    mark.update(true, false, CAPACITY / 4 + 1, CAPACITY);
    assertThat(within(wait(false))).isGreaterThan(SHORT);
  }

  /** Returns whether one of several waits is short: each may be held up by the machine. */
  private boolean isWaitShort() throws Exception {
    for (int i = 0; i < 50; i++) {
      if (within(wait(false)).compareTo(SHORT) < 0) {
        return true;
      }
    }
    return false;
  }

  @Test
  void interruptedThreadDoesNotWait() throws Exception {
    mark.update(true, false, 0, CAPACITY);
    assertThat(within(wait(true))).isLessThan(Duration.ofSeconds(10));
  }
}
