package dev.mullion.framing.testing.comparison;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class WarmUpTest {
  private static final long SECOND = 1_000_000_000;

  private final WarmUp.Progress progress = WarmUp.ofSeconds("2..8").begin();
  private long completed;

  /** One window of a second of CPU time, in two seconds by the clock. */
  private boolean isOverAfter(int second, int more) {
    completed += more;
    return progress.isOver(completed, 2L * second * SECOND, second * SECOND);
  }

  @Test
  void endsWhenTwoSuccessiveWindowsAreAlike() {
    assertThat(isOverAfter(1, 100)).isFalse();
    assertThat(isOverAfter(2, 200)).isFalse();
    assertThat(isOverAfter(3, 240)).isFalse();
    assertThat(isOverAfter(4, 245)).isTrue();
  }

  @Test
  void takesTheLeastTimeIfItIsSteadyBefore() {
    WarmUp.Progress longer = WarmUp.ofSeconds("2..8").begin();

    assertThat(longer.isOver(100, SECOND, SECOND)).isFalse();
    assertThat(longer.isOver(100, SECOND, SECOND)).isFalse();
    assertThat(longer.isOver(200, 2 * SECOND, 2 * SECOND)).isTrue();
  }

  @Test
  void endsAfterTheMostTime() {
    for (int second = 1; second < 8; second++) {
      assertThat(isOverAfter(second, 100 * second)).as("second %d", second).isFalse();
    }
    assertThat(isOverAfter(8, 800)).isTrue();
  }

  /** A server that is waiting takes less CPU time: the clock ends it then. */
  @Test
  void endsByTheClock() {
    assertThat(progress.isOver(1, 24 * SECOND - 1, SECOND / 10)).isFalse();
    assertThat(progress.isOver(1, 24 * SECOND, SECOND / 10)).isTrue();
  }

  @Test
  void fixedTimeIsNeitherShorterNorLonger() {
    WarmUp.Progress fixed = WarmUp.ofSeconds("4").begin();

    assertThat(fixed.isOver(100, 2 * SECOND, 2 * SECOND)).isFalse();
    assertThat(fixed.isOver(900, 4 * SECOND - 1, 4 * SECOND - 1)).isFalse();
    assertThat(fixed.isOver(990, 4 * SECOND, 4 * SECOND)).isTrue();
  }

  @Test
  void limitsAreRead() {
    WarmUp warmUp = new WarmUp(Duration.ofMillis(1500), Duration.ofSeconds(24));

    assertThat(WarmUp.ofSeconds("1.5..24")).isEqualTo(warmUp);
    assertThat(WarmUp.of(warmUp.argument())).isEqualTo(warmUp);
    assertThat(WarmUp.ofSeconds("6")).isEqualTo(WarmUp.fixed(Duration.ofSeconds(6)));
    assertThatThrownBy(() -> WarmUp.ofSeconds("3..2")).isInstanceOf(IllegalArgumentException.class);
  }
}
