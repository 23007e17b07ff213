package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ReconnectTest {
  private static final long MS = 1_000_000;
  private static final Duration LONGEST = Duration.ofSeconds(Long.MAX_VALUE);

  @Test
  void delayGrowsToTheMaximum() {
    Reconnect reconnect =
        Reconnect.builder().maxDelay(Duration.ofSeconds(1)).jitter(0).build();

    assertThat(IntStream.rangeClosed(1, 7).mapToLong(n -> reconnect.delayNanos(n, 0.3)))
        .containsExactly(100 * MS, 200 * MS, 400 * MS, 800 * MS, 1000 * MS, 1000 * MS, 1000 * MS);
  }

  @Test
  void delayStaysTheSameWithAMultiplierOfOne() {
    Reconnect reconnect = Reconnect.builder().multiplier(1).jitter(0).build();

    assertThat(reconnect.delayNanos(1, 0)).isEqualTo(100 * MS);
    assertThat(reconnect.delayNanos(Integer.MAX_VALUE, 0)).isEqualTo(100 * MS);
  }

  @Test
  void jitterIsTheRandomShare() {
    Reconnect half = Reconnect.builder().build();
    Reconnect full = Reconnect.builder().jitter(1).build();

    assertThat(half.delayNanos(1, 0)).isEqualTo(50 * MS);
    assertThat(half.delayNanos(1, 0.5)).isEqualTo(75 * MS);
    assertThat(half.delayNanos(2, 1)).isEqualTo(200 * MS);
    assertThat(full.delayNanos(1, 0)).isZero();
    assertThat(full.delayNanos(1, 0.25)).isEqualTo(25 * MS);
    assertThat(full.delayNanos(1, 1)).isEqualTo(100 * MS);
  }

  @Test
  void jitterAppliesToTheMaximumToo() {
    Reconnect reconnect = Reconnect.builder().build();

    assertThat(reconnect.delayNanos(1000, 0)).isEqualTo(15_000 * MS);
    assertThat(reconnect.delayNanos(1000, 1)).isEqualTo(30_000 * MS);
  }

  @Test
  void nothingOverflows() {
    Reconnect steep = Reconnect.builder().multiplier(Double.MAX_VALUE).jitter(0).build();
    Reconnect endless =
        Reconnect.builder().firstDelay(LONGEST).maxDelay(LONGEST).jitter(0).build();

    assertThat(steep.delayNanos(2, 0)).isEqualTo(30_000 * MS);
    assertThat(steep.delayNanos(Integer.MAX_VALUE, 0)).isEqualTo(30_000 * MS);
    assertThat(endless.delayNanos(1, 0)).isEqualTo(Long.MAX_VALUE);
    assertThat(endless.delayNanos(Integer.MAX_VALUE, 1)).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void allowsAsManyAttemptsAsAreSet() {
    Reconnect two = Reconnect.builder().maxAttempts(2).build();

    assertThat(two.allows(1)).isTrue();
    assertThat(two.allows(2)).isTrue();
    assertThat(two.allows(3)).isFalse();
    assertThat(Reconnect.builder().build().allows(Integer.MAX_VALUE)).isTrue();
    assertThat(Reconnect.off().allows(1)).isFalse();
  }

  @Test
  void delaysOutOfRange() {
    refused(b -> b.firstDelay(Duration.ZERO), "firstDelay: PT0S (expected: > PT0S)");
    refused(b -> b.firstDelay(Duration.ofMillis(-1)), "firstDelay: PT-0.001S (expected: > PT0S)");
    refused(b -> b.maxDelay(Duration.ZERO), "maxDelay: PT0S (expected: > PT0S)");
    Reconnect.builder()
        .firstDelay(Duration.ofNanos(1))
        .maxDelay(Duration.ofNanos(1))
        .build();
  }

  @Test
  void multiplierOutOfRange() {
    refused(b -> b.multiplier(0.99), "multiplier: 0.99 (expected: >= 1.0 and finite)");
    refused(b -> b.multiplier(Double.NaN), "multiplier: NaN (expected: >= 1.0 and finite)");
    refused(
        b -> b.multiplier(Double.POSITIVE_INFINITY),
        "multiplier: Infinity (expected: >= 1.0 and finite)");
    Reconnect.builder().multiplier(1).build();
  }

  @Test
  void jitterOutOfRange() {
    refused(b -> b.jitter(-0.01), "jitter: -0.01 (expected: 0.0 to 1.0)");
    refused(b -> b.jitter(1.01), "jitter: 1.01 (expected: 0.0 to 1.0)");
    refused(b -> b.jitter(Double.NaN), "jitter: NaN (expected: 0.0 to 1.0)");
    Reconnect.builder().jitter(0).jitter(1);
  }

  @Test
  void attemptsOutOfRange() {
    refused(b -> b.maxAttempts(-1), "maxAttempts: -1 (expected: >= 0)");
    Reconnect.builder().maxAttempts(0).maxAttempts(Integer.MAX_VALUE);
  }

  private static void refused(Consumer<Reconnect.Builder> setting, String text) {
    assertThatThrownBy(() -> setting.accept(Reconnect.builder()))
        .isExactlyInstanceOf(IllegalArgumentException.class)
        .hasMessage(text);
  }

  @Test
  void maximumBelowTheFirst() {
    assertThatThrownBy(
            () -> Reconnect.builder().firstDelay(Duration.ofMinutes(1)).build())
        .isExactlyInstanceOf(IllegalStateException.class)
        .hasMessage("maxDelay: PT30S is shorter than firstDelay: PT1M (expected: >= PT1M)");
  }

  @Test
  @SuppressWarnings("NullAway") // It is what the test is about.
  void nullSettingsAreNamed() {
    assertThatThrownBy(() -> Reconnect.builder().firstDelay(null))
        .isExactlyInstanceOf(NullPointerException.class)
        .hasMessage("firstDelay");
    assertThatThrownBy(() -> Reconnect.builder().maxDelay(null))
        .isExactlyInstanceOf(NullPointerException.class)
        .hasMessage("maxDelay");
  }

  @Test
  void textNamesTheSettings() {
    assertThat(Reconnect.builder().maxAttempts(3).build())
        .hasToString("Reconnect[firstDelay=PT0.1S, maxDelay=PT30S, multiplier=2.0, jitter=0.5,"
            + " maxAttempts=3, resetAfter=PT5S]");
    assertThat(Reconnect.off()).hasToString("Reconnect[off]");
  }
}
