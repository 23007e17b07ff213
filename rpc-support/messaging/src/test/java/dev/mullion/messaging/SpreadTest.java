package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.testing.Spread;
import java.util.List;
import org.junit.jupiter.api.Test;

class SpreadTest {
  @Test
  void medianIsInTheMiddle() {
    assertThat(Spread.median(List.of())).isNaN();
    assertThat(Spread.median(List.of(3.0))).isEqualTo(3);
    assertThat(Spread.median(List.of(4.0, 3.0))).isEqualTo(3.5);
    assertThat(Spread.median(List.of(9.0, 1.0, 3.0))).isEqualTo(3);
    assertThat(Spread.median(List.of(9.0, 1.0, 3.0, 4.0))).isEqualTo(3.5);
  }
}
