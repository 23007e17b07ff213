package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class WatchersTest {
  private final Watchers watchers = new Watchers();

  @Test
  void isPresentOnlyWhileItLooksOut() {
    assertThat(watchers.arePresent()).isFalse();
    boolean found = watchers.lookOut(() -> {
      assertThat(watchers.lookOut(() -> true)).isTrue(); // a second one comes and goes
      return watchers.arePresent();
    });
    assertThat(watchers.arePresent()).isFalse();
    assertThat(found).isFalse(); // the last look is made after it has left
  }

  @Test
  void findsWhatIsThereAtItsLastLook() {
    boolean found = watchers.lookOut(() -> !watchers.arePresent());
    assertThat(found).isTrue();
  }

  @Test
  void givesUpAfterAWhile() {
    AtomicInteger looks = new AtomicInteger();
    boolean found = watchers.lookOut(() -> {
      looks.incrementAndGet();
      return false;
    });
    assertThat(found).isFalse();
    assertThat(looks.get()).isBetween(1, 10_000);
  }

  @Test
  void leavesIfALookFails() {
    assertThatThrownBy(() -> watchers.lookOut(() -> {
          throw new IllegalStateException("boom");
        }))
        .hasMessage("boom");
    assertThat(watchers.arePresent()).isFalse();
  }
}
