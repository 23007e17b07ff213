package dev.mullion.messaging.kafka;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.testing.JavaProcess;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.MockProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.NotLeaderOrFollowerException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What becomes of records that the client does not take, since there is no broker. */
class SenderTest {
  private final Settings settings;
  private final Admin admin;
  private Sender sender;

  SenderTest() throws Exception {
    settings = new Settings(
        KafkaEngine.builder("127.0.0.1:" + JavaProcess.freePort()).property("max.block.ms", 100),
        null);
    admin = settings.admin();
    sender = sender(settings.producer(true));
  }

  private Sender sender(Producer<byte[], byte[]> producer) {
    Errors errors = new Errors(settings.servers(), "deliveryTimeout");
    return new Sender(settings, admin, errors, new KnownTopics(), producer);
  }

  /** Puts the client in place that a test needs. */
  private void use(Producer<byte[], byte[]> producer) {
    sender.close(Duration.ofMillis(100));
    sender = sender(producer);
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
    MessagingException error = failure(sender.send(message(), () -> "a push"));
    assertThat(error).hasMessageContaining("a push").isInstanceOf(BrokerAwayException.class);
    assertThat(error.maybeAccepted()).isFalse();
  }

  private static MessagingException failure(CompletableFuture<Void> sent) {
    Throwable error = catchThrowable(() -> sent.get(20, TimeUnit.SECONDS));
    return (MessagingException) requireNonNull(error.getCause());
  }

  // The client puts a record into a batch, and looks only then whether it has failed itself. The
  // batch may be sent all the same.
  @Test
  void whatAFailedClientHasTakenMaybeWasAccepted() {
    use(new FailingClient((own, others) -> {
      throw new KafkaException("Cannot execute transactional method because ...");
    }));
    assertThat(failure(sender.send(message(), () -> "a push")).maybeAccepted()).isTrue();
  }

  @Test
  void whatFailsWhileAnotherIsTakenMaybeWasAccepted() {
    use(new FailingClient((own, others) -> {
      others.forEach(each -> each.onCompletion(null, new NotLeaderOrFollowerException("before")));
      if (!others.isEmpty()) {
        own.onCompletion(null, new TimeoutException("no memory"));
      }
    }));
    CompletableFuture<Void> first = sender.send(message(), () -> "a push");
    CompletableFuture<Void> second = sender.send(message(), () -> "another push");
    assertThat(failure(first).maybeAccepted()).isTrue();
    assertThat(failure(second).maybeAccepted()).isFalse();
  }

  // A copy was settled twice.
  @Test
  void clientThatThrowsAndCallsBackIsHeardOnce() throws Exception {
    CountDownLatch calledBack = new CountDownLatch(1);
    use(new FailingClient((own, others) -> {
      if (!others.isEmpty()) {
        others.get(0).onCompletion(null, new KafkaException("aborted"));
        calledBack.countDown();
      }
      throw new KafkaException("failed");
    }));
    AtomicInteger answers = new AtomicInteger();
    sender.send(message(), (offset, error) -> answers.incrementAndGet());
    sender.send(message(), (offset, error) -> {});
    assertThat(calledBack.await(20, TimeUnit.SECONDS)).isTrue();
    assertThat(answers).hasValue(1);
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

  /** A client that does what a test says with the answers of a record and of those before. */
  private static final class FailingClient extends MockProducer<byte[], byte[]> {
    private final BiConsumer<Callback, List<Callback>> taking;
    private final List<Callback> before = new ArrayList<>();

    FailingClient(BiConsumer<Callback, List<Callback>> taking) {
      super(false, null, new ByteArraySerializer(), new ByteArraySerializer());
      this.taking = taking;
    }

    @Override
    public synchronized Future<RecordMetadata> send(
        ProducerRecord<byte[], byte[]> message, Callback answer) {
      try {
        taking.accept(answer, List.copyOf(before));
      } finally {
        before.add(answer);
      }
      return new CompletableFuture<>();
    }
  }
}
