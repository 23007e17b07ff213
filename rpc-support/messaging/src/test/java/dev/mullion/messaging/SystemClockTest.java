package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class SystemClockTest {
  private final MessagingClock clock = MessagingClock.system();

  @Test
  void runsATaskOnADaemonThreadNotBeforeItsTime() throws Exception {
    long start = clock.nanoTime();
    CompletableFuture<Thread> ran = new CompletableFuture<>();
    clock.schedule(Duration.ofMillis(20), () -> ran.complete(Thread.currentThread()));
    assertThat(ran.get(10, TimeUnit.SECONDS).isDaemon()).isTrue();
    assertThat(clock.nanoTime() - start).isGreaterThanOrEqualTo(20_000_000);
  }

  @Test
  void aTaskThatThrowsAnErrorEndsNoOther() throws Exception {
    CompletableFuture<Thread> before = new CompletableFuture<>();
    clock.schedule(Duration.ZERO, () -> {
      before.complete(Thread.currentThread());
      throw new StackOverflowError("thrown on purpose");
    });
    CompletableFuture<Thread> after = new CompletableFuture<>();
    clock.schedule(Duration.ofMillis(1), () -> after.complete(Thread.currentThread()));
    assertThat(after.get(10, TimeUnit.SECONDS)).isSameAs(before.get(10, TimeUnit.SECONDS));
  }

  @Test
  void takesTheLongestDelayAndCancels() {
    clock.schedule(Duration.ofSeconds(Long.MAX_VALUE), () -> {}).cancel();
  }
}
