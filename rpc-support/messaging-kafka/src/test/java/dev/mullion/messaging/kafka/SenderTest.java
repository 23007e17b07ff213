package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.testing.JavaProcess;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What becomes of records that the client does not take, since there is no broker. */
class SenderTest {
  private final Admin admin;
  private final Sender sender;

  SenderTest() throws Exception {
    Settings settings = new Settings(
        KafkaEngine.builder("127.0.0.1:" + JavaProcess.freePort()).property("max.block.ms", 100),
        null);
    admin = settings.admin();
    Errors errors = new Errors(settings.servers(), "deliveryTimeout");
    sender = new Sender(settings, admin, errors, new KnownTopics());
  }

  @AfterEach
  void close() {
    sender.close(Duration.ofMillis(100));
    admin.close(Duration.ZERO);
  }

  private static ProducerRecord<byte[], byte[]> message() {
    return new ProducerRecord<>("topic", new byte[1]);
  }

  @Test
  void whatTheClientDidNotTakeIsNotMaybeAccepted() {
    CompletableFuture<Void> sent = sender.send(message(), () -> "a push");
    Throwable error = catchThrowable(() -> sent.get(20, TimeUnit.SECONDS)).getCause();
    assertThat(error)
        .hasMessageContaining("a push")
        .isInstanceOfSatisfying(
            BrokerAwayException.class, away -> assertThat(away.maybeAccepted()).isFalse());
  }

  // It was called again with what it had thrown.
  @Test
  void answerThatThrowsIsCalledOnce() throws Exception {
    List<Throwing> answers = send(2);
    for (Throwing each : answers) {
      assertThat(each.called.await(20, TimeUnit.SECONDS)).isTrue();
    }
    sender.close(Duration.ofSeconds(20));
    assertThat(answers).allMatch(each -> each.calls.get() == 1);
  }

  // The first one that threw was the last one that was called.
  @Test
  void allAreAnsweredByClose() throws Exception {
    List<Throwing> answers = send(100);
    sender.close(Duration.ofMillis(10));
    for (Throwing each : answers) {
      assertThat(each.called.await(20, TimeUnit.SECONDS)).isTrue();
    }
    assertThat(answers).allMatch(each -> each.calls.get() == 1);
  }

  private List<Throwing> send(int count) {
    List<Throwing> answers = Stream.generate(Throwing::new).limit(count).toList();
    answers.forEach(each -> sender.send(message(), each));
    return answers;
  }

  private static final class Throwing implements Sender.Answer {
    private final AtomicInteger calls = new AtomicInteger();
    private final CountDownLatch called = new CountDownLatch(1);

    @Override
    public void answered(long offset, @Nullable Throwable error) {
      calls.incrementAndGet();
      called.countDown();
      throw new IllegalStateException("an answer fails, on purpose");
    }
  }
}
