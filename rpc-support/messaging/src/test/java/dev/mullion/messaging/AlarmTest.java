package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class AlarmTest {
  private final ManualClock clock = new ManualClock();
  private final AtomicInteger runs = new AtomicInteger();

  @Test
  void goesOffAtTheEarliestTime() {
    Alarm alarm = new Alarm(clock, runs::incrementAndGet);
    alarm.at(clock.nanoTime() + Duration.ofSeconds(5).toNanos());
    alarm.at(clock.nanoTime() + Duration.ofSeconds(1).toNanos());
    clock.advance(Duration.ofSeconds(1));
    assertThat(runs).hasValue(1);
    clock.advance(Duration.ofSeconds(10));
    assertThat(runs).hasValue(1);
  }

  @Test
  void taskThatFailsIsCalledAgain() {
    Alarm alarm = new Alarm(clock, () -> {
      if (runs.incrementAndGet() < 3) {
        throw new StackOverflowError("thrown on purpose");
      }
    });
    alarm.at(clock.nanoTime() + 1);
    clock.advance(Duration.ofSeconds(10));
    assertThat(runs).hasValue(3);
  }

  /** The alarm was taken for set, and no later call set it. */
  @Test
  void timerThatCannotBeSetIsSetByTheNextCall() {
    AtomicBoolean fails = new AtomicBoolean(true);
    MessagingClock failing = new MessagingClock() {
      @Override
      public long nanoTime() {
        return clock.nanoTime();
      }

      @Override
      public long currentTimeMillis() {
        return clock.currentTimeMillis();
      }

      @Override
      public Timer schedule(Duration delay, Runnable task) {
        if (fails.getAndSet(false)) {
          throw new OutOfMemoryError("thrown on purpose");
        }
        return clock.schedule(delay, task);
      }
    };
    Alarm alarm = new Alarm(failing, runs::incrementAndGet);
    assertThatThrownBy(() -> alarm.at(clock.nanoTime() + 1)).isInstanceOf(OutOfMemoryError.class);
    alarm.at(clock.nanoTime() + 5);
    clock.advance(Duration.ofNanos(5));
    assertThat(runs).hasValue(1);
  }
}
