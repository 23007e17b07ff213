package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class CoarseTimeTest {
  private static final long MILLISECOND = 1_000_000;

  private final AtomicLong source = new AtomicLong(5 * MILLISECOND);
  private final ManualClock timers = new ManualClock();
  private final CoarseTime time = new CoarseTime(source::get, MILLISECOND, timers);

  @Test
  void isExactWhileItIsReadNowAndThen() {
    for (int i = 0; i < 1000; i++) {
      long now = source.addAndGet(MILLISECOND / 32);
      assertThat(time.get()).isEqualTo(now);
    }
  }

  @Test
  void standsInABurstUntilTheTimerEndsIt() {
    for (int i = 0; i < 100; i++) {
      time.get();
    }
    long held = time.get();
    source.addAndGet(MILLISECOND / 2);
    assertThat(time.get()).isEqualTo(held);
    source.addAndGet(MILLISECOND / 2);
    timers.advance(Duration.ofMillis(1));
    assertThat(time.get()).isEqualTo(held + MILLISECOND);
  }
}
