package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The system's clock is set while an engine runs: nothing ends sooner or later. */
class ClockStepTest {
  private static final WorkQueue<String> JOBS = WorkQueue.builder("jobs", Codecs.utf8())
      .redelivery(Redelivery.constant(2, Duration.ofHours(1)))
      .deadLetterAge(Duration.ofHours(2))
      .build();
  private static final WorkQueue<String> UNREAD = WorkQueue.of("unread", Codecs.utf8());

  private final ManualClock time = new ManualClock();
  private final List<String> deliveries = new CopyOnWriteArrayList<>();
  private volatile Duration step = Duration.ZERO;

  @TempDir
  Path directory;

  private final class SetClock implements MessagingClock {
    @Override
    public long nanoTime() {
      return time.nanoTime();
    }

    @Override
    public long currentTimeMillis() {
      return time.currentTimeMillis() + step.toMillis();
    }

    @Override
    public Timer schedule(Duration delay, Runnable task) {
      return time.schedule(delay, task);
    }

    @Override
    public Timer scheduleAt(long nanoTime, Runnable task) {
      return time.scheduleAt(nanoTime, task);
    }
  }

  private EmbeddedBroker start(boolean durable) throws MessagingException {
    EmbeddedEngine.Builder engine = EmbeddedEngine.builder().clock(new SetClock());
    return (durable ? engine.directory(directory) : engine).build().start();
  }

  private void handle(Delivery<String> job) throws RejectedMessageException {
    deliveries.add(job.payload() + job.deliveryCount());
    if (job.payload().equals("dies")) {
      throw new RejectedMessageException("no");
    }
    if (job.deliveryCount() == 1) {
      throw new IllegalStateException("not yet");
    }
  }

  private static long letters(Messaging messaging, WorkQueue<?> queue) {
    return messaging.deadLetters(queue).count().toCompletableFuture().join();
  }

  /** Dead letters were dropped when the clock went forward, or were kept when it went back. */
  @ParameterizedTest
  @CsvSource({"false, 1000", "false, -1000", "true, 1000", "true, -1000"})
  void delaysAndAgesPassAsBefore(boolean durable, int days) throws Exception {
    try (EmbeddedBroker broker = start(durable);
        Messaging messaging = Messaging.on(broker)) {
      messaging.pull(JOBS, this::handle);
      messaging.push(JOBS, "dies").get();
      messaging.push(JOBS, "late").get();
      Message<String> ends = Message.of("ends").withTimeToLive(Duration.ofHours(1));
      messaging.pushMessage(UNREAD, ends).get();
      Waiting.until(() -> deliveries.size() == 2 && letters(messaging, JOBS) == 1);
      broker.awaitIdle(Duration.ofSeconds(10));

      step = Duration.ofDays(days);
      time.advance(Duration.ofMinutes(59));
      broker.awaitIdle(Duration.ofSeconds(10));
      assertThat(deliveries).containsExactly("dies1", "late1");
      assertThat(letters(messaging, JOBS)).isEqualTo(1);
      assertThat(letters(messaging, UNREAD)).isZero();

      time.advance(Duration.ofMinutes(1));
      Waiting.until(() -> deliveries.size() == 3 && letters(messaging, UNREAD) == 1);
      assertThat(letters(messaging, JOBS)).isEqualTo(1);

      time.advance(Duration.ofHours(1));
      Waiting.until(() -> letters(messaging, JOBS) == 0);
    }
  }
}
