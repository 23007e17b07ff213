package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** How often the topics of subscriptions are looked for. */
class UpkeepTest {
  private static long seconds(long tookSeconds, boolean made) {
    long pause = Upkeep.pauseAfter(TimeUnit.SECONDS.toNanos(tookSeconds), made);
    return TimeUnit.NANOSECONDS.toSeconds(pause);
  }

  @Test
  void slowTurnHasLongPause() {
    assertThat(seconds(0, false)).isEqualTo(2);
    assertThat(seconds(3, false)).isEqualTo(15);
    assertThat(seconds(60, false)).isEqualTo(20);
  }

  // Consumers of a topic that was made again waited up to 20 s for the turn that learns its id.
  @Test
  void turnThatMadeTopicsHasShortPause() {
    assertThat(seconds(60, true)).isEqualTo(2);
  }
}
