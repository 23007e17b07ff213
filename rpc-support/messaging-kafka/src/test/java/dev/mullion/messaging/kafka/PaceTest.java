package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** When one share consumer is not enough. */
class PaceTest {
  private static final long MILLI = TimeUnit.MILLISECONDS.toNanos(1);

  private final Pace pace = new Pace(1_000);

  @Test
  void fullFetchOfLargeMessagesCallsForAnother() {
    pace.fetched(1_000, 16 << 20, 0);
    assertThat(pace.isOutpaced(MILLI)).isTrue();
  }

  // Two consumers handled fewer messages of 100 bytes than one.
  @Test
  void manySmallMessagesDoNot() {
    pace.fetched(1_000, 100_000, 0);
    pace.committed(MILLI);
    assertThat(pace.isOutpaced(MILLI)).isFalse();
  }

  @Test
  void fewSmallMessagesDo() {
    Pace few = new Pace(10);
    few.fetched(10, 1_000, 0);
    assertThat(few.isOutpaced(MILLI)).isTrue();
  }

  @Test
  void itIsManyFrom500AndLargeFrom1MiB() {
    assertThat(isOutpaced(499, 1)).isTrue();
    assertThat(isOutpaced(500, (1 << 20) - 1)).isFalse();
    assertThat(isOutpaced(500, 1 << 20)).isTrue();
  }

  private static boolean isOutpaced(int size, long bytes) {
    Pace full = new Pace(size);
    full.fetched(size, bytes, 0);
    return full.isOutpaced(MILLI);
  }

  @Test
  void commitsThatAreSlowAllTheTimeDo() {
    pace.fetched(1_000, 100_000, 0);
    for (int i = 0; i < 15; i++) {
      pace.committed(20 * MILLI);
    }
    assertThat(pace.isOutpaced(MILLI)).isFalse();
    pace.committed(20 * MILLI);
    assertThat(pace.isOutpaced(MILLI)).isTrue();
    pace.committed(20 * MILLI - 1);
    assertThat(pace.isOutpaced(MILLI)).isFalse();
  }

  @Test
  void slowHandlersAndFetchesThatAreNotFullDoNot() {
    pace.fetched(1_000, 16 << 20, 0);
    assertThat(pace.isOutpaced(20 * MILLI)).isFalse();
    pace.fetched(999, 16 << 20, 0);
    assertThat(pace.isOutpaced(0)).isFalse();
  }
}
