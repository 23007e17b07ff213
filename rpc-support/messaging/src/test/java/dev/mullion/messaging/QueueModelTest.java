package dev.mullion.messaging;

import static dev.mullion.messaging.EmbeddedFixture.await;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A queue does with random operations what the model does. */
class QueueModelTest {
  private static final int ROUNDS = Integer.getInteger("messaging.model.rounds", 60);
  private static final int OPERATIONS = 120;
  private static final int SEND_TIMEOUT = 73;

  private Random random = new Random();
  private QueueModel model = new QueueModel(false, 0, Overflow.FAIL, 1);
  private EmbeddedFixture embedded = new EmbeddedFixture();
  private EngineLink link = embedded.link;
  private Route.Queue route = EmbeddedFixture.queue("jobs");
  private final List<Worker> workers = new ArrayList<>();
  private final Map<String, RawDelivery> held = new HashMap<>();
  private final Map<String, CompletableFuture<Void>> parked = new HashMap<>();
  private final List<String> timedOut = new ArrayList<>();
  private final List<String> log = new ArrayList<>();
  private int texts;

  /** A worker, and the credit that it has left. */
  private static final class Worker {
    final Source source;
    final RecordingSink sink;
    long credit;

    Worker(Source source, RecordingSink sink) {
      this.source = source;
      this.sink = sink;
    }
  }

  @ParameterizedTest
  @EnumSource
  void doesWhatTheModelDoes(Overflow overflow) throws Exception {
    for (int round = 0; round < ROUNDS; round++) {
      long seed = Long.getLong("messaging.model.seed", System.nanoTime());
      try {
        run(seed, overflow);
      } catch (Throwable e) {
        throw new AssertionError("seed " + seed + ", after " + log, e);
      }
    }
  }

  private void run(long seed, Overflow overflow) throws Exception {
    random = new Random(seed);
    boolean ordered = random.nextBoolean();
    int capacity = random.nextInt(3) == 0 ? 0 : 1 + random.nextInt(6);
    model = new QueueModel(ordered, capacity, overflow, 4);
    route = EmbeddedFixture.builder("jobs")
        .ordered(ordered)
        .capacity(capacity)
        .overflow(overflow)
        .maxDeadLetters(4)
        .build()
        .route();
    for (List<?> left : List.of(workers, timedOut, log)) {
      left.clear();
    }
    held.clear();
    parked.clear();
    log.add("ordered " + ordered + ", capacity " + capacity);
    embedded.close();
    embedded = new EmbeddedFixture();
    link = embedded.open(Duration.ofMillis(SEND_TIMEOUT));
    link.prepare(route, EngineLink.Declaration.CHECK);
    for (int i = 0; i < OPERATIONS; i++) {
      operate();
      check();
    }
    embedded.close();
  }

  private void operate() throws Exception {
    int which = random.nextInt(100);
    if (which < 35) {
      push();
    } else if (which < 46) {
      request();
    } else if (which < 50) {
      poll();
    } else if (which < 78) {
      settle();
    } else if (which < 83) {
      close();
    } else if (which < 94) {
      int millis = 10 * random.nextInt(5);
      log.add("advance " + millis);
      List<String> over = new ArrayList<>();
      model.advance(millis, over);
      timedOut.addAll(over);
      embedded.clock.advance(Duration.ofMillis(millis));
    } else if (which < 98) {
      int max = random.nextInt(4);
      log.add("redrive " + max);
      long expected = model.redrive(max);
      assertThat(await(link.deadLetters(route).redrive(max, letter -> true))).isEqualTo(expected);
    } else {
      log.add("purge");
      long expected = model.letters.size();
      model.letters.clear();
      assertThat(await(link.deadLetters(route).purge(letter -> true))).isEqualTo(expected);
    }
  }

  private void push() {
    String text = "j" + texts++;
    String key = random.nextBoolean() ? "k" + random.nextInt(3) : null;
    long timeToLive = random.nextInt(4) == 0 ? 10 * random.nextInt(8) + 2 : QueueModel.NEVER;
    log.add("push " + text + " " + key + " " + timeToLive);
    String expected = model.push(new QueueModel.Job(text, key, timeToLive), SEND_TIMEOUT);
    Message<byte[]> message = EmbeddedFixture.message(text);
    message = key == null ? message : message.withKey(key);
    if (timeToLive != QueueModel.NEVER) {
      message = message.withTimeToLive(Duration.ofMillis(timeToLive));
    }
    CompletionStage<Void> sent = random.nextInt(4) == 0
        ? link.send(route, message)
        : EmbeddedFixture.send(link, route, message);
    CompletableFuture<Void> done = sent.toCompletableFuture();
    String got =
        !done.isDone() ? "parked" : done.isCompletedExceptionally() ? "failed" : "accepted";
    assertThat(got).isEqualTo(expected);
    if (!done.isDone()) {
      parked.put(text, done);
    }
  }

  private void request() throws Exception {
    if (workers.isEmpty() || (workers.size() < 3 && random.nextInt(4) == 0)) {
      RecordingSink sink = new RecordingSink();
      Source source = link.consume(route, new ConsumerSettings(8, 8, 8, Overflow.FAIL), sink);
      workers.add(new Worker(source, sink));
    }
    int index = random.nextInt(workers.size());
    int credit = 1 + random.nextInt(3);
    log.add("request " + credit + " of " + index);
    model.credit += credit;
    model.pump();
    workers.get(index).credit += credit;
    workers.get(index).source.request(credit);
  }

  /** Asks for what waits: only without open credit can there be anything. */
  private void poll() {
    if (workers.isEmpty()) {
      return;
    }
    int index = random.nextInt(workers.size());
    int most = 1 + random.nextInt(5);
    log.add("poll " + most + " of " + index);
    if (model.credit == 0) {
      model.credit = most;
      model.pump();
      workers.get(index).credit += most - model.credit;
      model.credit = 0;
    }
    workers.get(index).source.poll(most);
  }

  private void settle() throws Exception {
    if (held.isEmpty()) {
      return;
    }
    List<String> all = held.keySet().stream().sorted().toList();
    String text = all.get(random.nextInt(all.size()));
    RawDelivery delivery = requireNonNull(held.remove(text));
    QueueModel.Job job = requireNonNull(model.held.get(text));
    assertThat(delivery.failures()).isEqualTo(job.failures);
    assertThat(delivery.losses()).isEqualTo(job.losses);
    if (random.nextBoolean()) {
      delivery.begin();
      job.begun = true;
    }
    Outcome outcome = outcome();
    log.add("settle " + text + " " + outcome);
    if (outcome instanceof Outcome.Acknowledge) {
      model.acknowledge(text);
    } else if (outcome instanceof Outcome.Redeliver again) {
      model.redeliver(text, again.delay().toMillis());
    } else if (outcome instanceof Outcome.GiveBack back) {
      model.giveBack(text, back.counted());
    } else if (outcome instanceof Outcome.Bury bury) {
      model.settleBury(text, bury.reason());
    }
    assertThat(await(delivery.settle(outcome))).isEqualTo(Settlement.APPLIED);
    assertThat(await(delivery.settle(outcome))).isEqualTo(Settlement.LEASE_LOST);
  }

  private Outcome outcome() {
    return switch (random.nextInt(6)) {
      case 0 -> new Outcome.Redeliver(Duration.ZERO, "failed");
      case 1 -> new Outcome.Redeliver(Duration.ofMillis(10 * random.nextInt(4) + 1), "failed");
      case 2 -> new Outcome.GiveBack(random.nextBoolean());
      case 3 ->
        new Outcome.Bury(
            random.nextBoolean() ? DeadLetter.Reason.REJECTED : DeadLetter.Reason.DELIVERY_LIMIT,
            "");
      default -> new Outcome.Acknowledge();
    };
  }

  private void close() {
    if (workers.isEmpty()) {
      return;
    }
    int index = random.nextInt(workers.size());
    Worker worker = workers.remove(index);
    log.add("close " + index);
    model.credit -= worker.credit;
    List<QueueModel.Job> back = new ArrayList<>();
    for (RawDelivery delivery : worker.sink.deliveries) {
      String text = RecordingSink.text(delivery);
      if (held.get(text) == delivery) {
        held.remove(text);
        QueueModel.Job job = requireNonNull(model.held.remove(text));
        job.losses += job.begun ? 1 : 0;
        back.add(job);
      }
    }
    worker.source.close();
    back.forEach(job -> model.waiting.put(job.number, job));
    model.pump();
  }

  private void check() throws Exception {
    List<String> expected = new ArrayList<>(model.handedOut);
    List<String> got = new ArrayList<>();
    for (Worker worker : workers) {
      List<RawDelivery> all = worker.sink.deliveries;
      List<String> fresh = new ArrayList<>();
      for (RawDelivery delivery : all) {
        String text = RecordingSink.text(delivery);
        if (model.held.containsKey(text)
            && expected.contains(text)
            && !held.containsKey(text)
            && all.lastIndexOf(delivery) >= worker.sink.seen) {
          held.put(text, delivery);
          fresh.add(text);
          worker.credit--;
        }
      }
      worker.sink.seen = all.size();
      got.addAll(fresh);
    }
    assertThat(got).containsExactlyInAnyOrderElementsOf(expected);
    workers.forEach(worker -> assertThat(worker.credit).isNotNegative());
    model.handedOut.clear();
    QueueStatus status = await(link.queues()).get(0);
    assertThat(List.of(
            status.waiting(),
            status.delayed(),
            status.inFlight(),
            status.deadLetters(),
            status.dropped(),
            status.expired(),
            status.deadLettersDropped()))
        .isEqualTo(List.of(
            (long) model.waiting.size(),
            (long) model.delayed.size(),
            (long) model.held.size(),
            (long) model.letters.size(),
            model.dropped,
            model.expired,
            model.lettersDropped));
    assertThat(await(link.deadLetters(route).peek(10)).stream()
            .map(letter -> text(letter) + letter.reason() + letter.deliveryCount()))
        .containsExactlyElementsOf(model.letters.stream()
            .map(letter -> letter.job().text + letter.reason() + letter.count())
            .toList());
    checkParked();
  }

  private void checkParked() {
    List<String> waits = model.parked.stream().map(send -> send.job().text).toList();
    for (String text : List.copyOf(parked.keySet())) {
      CompletableFuture<Void> done = requireNonNull(parked.get(text));
      assertThat(done.isDone()).as(text).isEqualTo(!waits.contains(text));
      if (done.isDone()) {
        assertThat(done.isCompletedExceptionally()).as(text).isEqualTo(timedOut.contains(text));
        parked.remove(text);
      }
    }
  }

  private static String text(DeadLetter letter) {
    return new String(letter.original().payload(), java.nio.charset.StandardCharsets.UTF_8);
  }
}
