package dev.mullion.net.base;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.ResourceBundle;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class BoundedLogTest {
  private enum Kind {
    REFUSED,
    FAILED
  }

  private final Lines lines = new Lines();
  private long now;
  private final BoundedLog<Kind> log = new BoundedLog<>(lines, Kind.class, () -> now);

  @Test
  void oneLineASecondWithTheNumberLeftOutAndTheLastPeer() {
    for (int i = 0; i < 1_000; i++) {
      String peer = "/127.0.0.1:" + i;
      log.log(Kind.REFUSED, System.Logger.Level.INFO, peer, () -> "refused (peer " + peer + ")");
    }
    pass(Duration.ofMillis(999));
    log.log(Kind.REFUSED, System.Logger.Level.INFO, "p", () -> "refused (peer p)");
    assertThat(lines.seen).containsExactly("refused (peer /127.0.0.1:0)");

    pass(Duration.ofMillis(1));
    log.log(Kind.REFUSED, System.Logger.Level.INFO, "q", () -> "refused (peer q)");
    pass(Duration.ofSeconds(1));
    log.log(Kind.REFUSED, System.Logger.Level.INFO, "r", () -> "refused (peer r)");
    assertThat(lines.seen)
        .containsExactly(
            "refused (peer /127.0.0.1:0)",
            "refused (peer q) [1000 more in the last 1 s, last peer p]",
            "refused (peer r)");
  }

  @Test
  void kindsAreCountedApart() {
    log.log(Kind.REFUSED, System.Logger.Level.INFO, null, () -> "refused");
    log.log(Kind.FAILED, System.Logger.Level.WARNING, null, () -> "failed");
    assertThat(lines.seen).containsExactly("refused", "failed");
  }

  @Test
  void whatIsNotLoggableIsNeitherMadeNorCounted() {
    AtomicInteger made = new AtomicInteger();
    log.log(Kind.REFUSED, System.Logger.Level.DEBUG, null, () -> "text " + made.incrementAndGet());
    log.log(Kind.REFUSED, System.Logger.Level.INFO, null, () -> "refused");
    assertThat(made).hasValue(0);
    assertThat(lines.seen).containsExactly("refused");
  }

  @Test
  void failureOfTheLoggerIsCountedAndDoesNotReachTheCaller() {
    lines.failure = new NoClassDefFoundError("too many open files");
    log.log(Kind.FAILED, System.Logger.Level.WARNING, null, () -> "failed");
    assertThat(log.failures()).isEqualTo(1);
    assertThat(lines.seen).isEmpty();
  }

  @Test
  void errorThatCannotBeWrittenIsToldByItsType() {
    lines.unwritable = true;
    log.log(
        Kind.FAILED,
        System.Logger.Level.WARNING,
        null,
        () -> "failed",
        new IllegalStateException("no words"));
    assertThat(log.failures()).isEqualTo(1);
    assertThat(lines.seen).containsExactly("failed: java.lang.IllegalStateException");
  }

  private void pass(Duration time) {
    now += time.toNanos();
  }

  private static final class Lines implements System.Logger {
    final List<String> seen = new ArrayList<>();

    @Nullable
    Error failure;

    boolean unwritable;

    @Override
    public String getName() {
      return "lines";
    }

    @Override
    public boolean isLoggable(Level level) {
      return level.getSeverity() >= Level.INFO.getSeverity();
    }

    @Override
    public void log(
        Level level, @Nullable ResourceBundle bundle, String text, @Nullable Throwable error) {
      if (failure != null) {
        throw failure;
      }
      if (unwritable && error != null) {
        throw new IllegalStateException("it does not say what it is");
      }
      seen.add(text);
    }

    @Override
    public void log(
        Level level, @Nullable ResourceBundle bundle, String format, @Nullable Object... values) {
      throw new AssertionError("a format would be applied to a peer's text");
    }
  }
}
