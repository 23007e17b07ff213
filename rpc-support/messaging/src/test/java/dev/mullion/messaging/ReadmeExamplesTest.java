package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.engine.Engine;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.opentelemetry.api.OpenTelemetry;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The code in the READMEs, in the same words; {@link ReadmeTest} compares them. */
@Timeout(30)
class ReadmeExamplesTest {
  static final Subject<String, String> CAPITALS =
      Subject.of("capitals", Codecs.utf8(), Codecs.utf8());
  static final Topic<String> PRICES = Topic.of("prices", Codecs.utf8());
  static final WorkQueue<String> ARCHIVE = PRICES.named("prices.#").group("archive");
  static final Signal<String> READINGS = Signal.of("readings", Codecs.utf8());
  static final WorkQueue<String> INVOICES = WorkQueue.builder("invoices", Codecs.utf8())
      .redelivery(Redelivery.constant(3, Duration.ofSeconds(5)))
      .handlerTimeout(Duration.ofMinutes(2))
      .capacity(100_000)
      .build();

  private final List<String> printed = new CopyOnWriteArrayList<>();
  private final ManualClock time = new ManualClock();
  private EmbeddedBroker broker;
  private Messaging messaging;

  @TempDir
  Path directory;

  @BeforeEach
  void start() throws MessagingException {
    broker = EmbeddedEngine.builder().clock(time).build().start();
    messaging = Messaging.on(broker);
  }

  @AfterEach
  void stop() {
    messaging.close();
    broker.close();
  }

  private void print(String text) {
    printed.add(text);
  }

  private void idle() throws Exception {
    broker.awaitIdle(Duration.ofSeconds(10));
  }

  @Test
  void allVerbs() throws Exception {
    allVerbs(messaging);
    idle();

    assertThat(printed).containsExactlyInAnyOrder("Paris", "17.20", "invoice 1", "21.5");
  }

  private void allVerbs(Messaging messaging) throws Exception {
    messaging.reply(CAPITALS, question -> capitalOf(question.payload()));
    messaging.subscribe(PRICES, price -> print(price.payload()));
    messaging.pull(INVOICES, job -> print(job.payload())); // an exception: delivered again
    messaging.receive(READINGS, reading -> print(reading.payload()));

    print(messaging.request(CAPITALS, "France", Duration.ofSeconds(2)).get());
    messaging.publish(PRICES, "17.20").get();
    messaging.push(INVOICES, "invoice 1").get(); // from here on it is handled, or a dead letter
    messaging.send(READINGS, "21.5");
  }

  private static String capitalOf(String country) {
    return country.equals("France") ? "Paris" : "unknown";
  }

  @Test
  void worker() throws Exception {
    Subscription workers =
        messaging.worker(INVOICES).concurrency(8).start(job -> print(job.payload()));

    messaging.push(INVOICES, "invoice 1").get(); // from here on it is handled, or a dead letter
    idle();

    assertThat(printed).containsExactly("invoice 1");
    assertThat(workers.counters().acknowledged()).isEqualTo(1);
  }

  @Test
  void batch() throws Exception {
    messaging.push(INVOICES, "invoice 1").get();
    messaging.push(INVOICES, "invoice 2").get();
    messaging.worker(INVOICES).startBatch(500, batch -> {
      for (Delivery<String> job : batch.deliveries()) {
        if (!insert(job.payload())) {
          batch.fail(job, new IOException("duplicate number")); // this one only is delivered again
        }
      }
    });
    idle();

    assertThat(printed).containsExactly("invoice 1");
    assertThat(messaging.queues().toCompletableFuture().get().get(0).delayed()).isEqualTo(1);
  }

  private boolean insert(String invoice) {
    return invoice.endsWith("1") && printed.add(invoice);
  }

  @Test
  void history() throws Exception {
    messaging.pull(INVOICES, job -> {
      if (job.payload().isBlank()) {
        throw new RejectedMessageException("empty invoice"); // a dead letter at once
      }
      if (job.isLast()) {
        warn("last delivery of " + job.message().id());
      }
      job.extend(Duration.ofMinutes(10)); // counted from now, instead of the queue's handlerTimeout
      print(job.payload());
    });
    messaging.push(INVOICES, " ").get();
    messaging.push(INVOICES, "invoice 1").get();
    idle();

    assertThat(printed).containsExactly("invoice 1");
    assertThat(messaging.deadLetters(INVOICES).count().toCompletableFuture().get())
        .isEqualTo(1);
  }

  private void warn(String text) {
    print("warning: " + text);
  }

  @Test
  void groupKeepsWhatIsPublished() throws Exception {
    messaging.declare(ARCHIVE);
    messaging.publish(PRICES.named("prices.eu.paris"), "17.20").get();
    messaging.pull(ARCHIVE, price -> print(price.address() + " " + price.payload()));
    idle();

    assertThat(printed).containsExactly("prices.eu.paris 17.20");
  }

  @Test
  void deadLetters() throws Exception {
    Subscription failing = messaging.pull(INVOICES, job -> {
      throw new RejectedMessageException("the printer is out of paper");
    });
    messaging.push(INVOICES, "invoice 1").get();
    idle();
    failing.close();

    DeadLetters letters = messaging.deadLetters(INVOICES);
    for (DeadLetter letter : letters.peek(10).toCompletableFuture().get()) {
      print(letter.reason() + " after " + letter.deliveryCount() + ": " + letter.error());
    }
    letters.redrive(1000, letter -> letter.error().contains("out of paper")); // back into the queue
    letters.purge(letter -> letter.reason() == DeadLetter.Reason.UNDECODABLE);

    messaging.pull(INVOICES, job -> print(job.payload() + ", delivery " + job.deliveryCount()));
    await(() -> printed.size() == 2);
    assertThat(printed)
        .containsExactly("REJECTED after 1: the printer is out of paper", "invoice 1, delivery 1");
  }

  @Test
  void redeclare() throws Exception {
    messaging.declare(INVOICES);
    WorkQueue<String> roomier = INVOICES.toBuilder().capacity(200_000).build();
    messaging.redeclare(roomier);
    messaging.push(roomier, "invoice 1").get();

    assertThat(messaging.queues().toCompletableFuture().get().get(0).waiting()).isEqualTo(1);
  }

  @Test
  void report() {
    StopReport report = messaging.stop(Duration.ofSeconds(20));
    print(report.finished() + " finished, " + report.givenBack() + " given back, "
        + report.interrupted() + " interrupted");

    assertThat(printed).containsExactly("0 finished, 0 given back, 0 interrupted");
  }

  @Test
  void durable() throws Exception {
    EmbeddedEngine engine = EmbeddedEngine.builder().directory(directory).build();
    try (Messaging messaging = Messaging.on(engine)) {
      messaging.push(INVOICES, "invoice 1").get(); // on disk from here on
    }

    try (Messaging later = Messaging.on(engine)) {
      assertThat(later.queues().toCompletableFuture().get().get(0).waiting()).isEqualTo(1);
    }
  }

  @Test
  void metrics() {
    SimpleMeterRegistry registry = new SimpleMeterRegistry();
    MessagingMetrics.bind(messaging, registry, "instance", "orders");

    assertThat(registry.get("mullion.messaging.sent").functionCounter().count()).isZero();
  }

  @Test
  void traces() throws Exception {
    traced(broker, OpenTelemetry.noop()).close();
  }

  private static Messaging traced(Engine engine, OpenTelemetry openTelemetry)
      throws MessagingException {
    return Messaging.builder(engine)
        .observe(MessagingTraces.observer(openTelemetry))
        .start();
  }

  @Test
  void timeInTests() throws Exception {
    ManualClock clock = new ManualClock();
    try (EmbeddedBroker broker = EmbeddedEngine.builder().clock(clock).build().start();
        Messaging messaging = Messaging.on(broker)) {
      messaging.pull(INVOICES, job -> failOnce(job));
      messaging.push(INVOICES, "invoice 1").get();
      broker.awaitIdle(Duration.ofSeconds(10)); // it has failed, and waits for its delay

      clock.advance(Duration.ofSeconds(5));
      broker.awaitIdle(Duration.ofSeconds(10)); // it was handled
    }
    assertThat(printed).containsExactly("invoice 1, delivery 2");
  }

  private void failOnce(Delivery<String> job) throws IOException {
    if (job.deliveryCount() == 1) {
      throw new IOException("paper jam");
    }
    print(job.payload() + ", delivery " + job.deliveryCount());
  }

  private static void await(java.util.function.BooleanSupplier condition) throws Exception {
    long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      Thread.onSpinWait();
    }
  }
}
