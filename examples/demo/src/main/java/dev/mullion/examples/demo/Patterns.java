package dev.mullion.examples.demo;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.Signal;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.io.IOException;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;

/** The four patterns of messaging, on an engine in memory. */
final class Patterns {
  private static final Subject<String, String> CAPITALS =
      Subject.of("capitals", Codecs.utf8(), Codecs.utf8());
  private static final Topic<String> PRICES = Topic.of("prices", Codecs.utf8());
  private static final WorkQueue<String> JOBS = WorkQueue.builder("jobs", Codecs.utf8())
      .redelivery(Redelivery.immediate(3))
      .build();
  private static final Signal<String> READINGS = Signal.of("readings", Codecs.utf8());

  private static final int COUNT = 100_000;
  private static final Duration TIMEOUT = Duration.ofSeconds(10);

  private final EmbeddedBroker broker;
  private final Messaging messaging;
  private final PrintStream out;

  private Patterns(EmbeddedBroker broker, Messaging messaging, PrintStream out) {
    this.broker = broker;
    this.messaging = messaging;
    this.out = out;
  }

  static void show(PrintStream out) throws Exception {
    try (EmbeddedBroker broker = EmbeddedEngine.inMemory().start();
        Messaging messaging = Messaging.on(broker)) {
      Patterns patterns = new Patterns(broker, messaging, out);
      patterns.requestReply();
      patterns.publishSubscribe();
      patterns.pushPull();
      patterns.fireAndForget();
    }
  }

  private void requestReply() throws Exception {
    messaging.reply(CAPITALS, question -> capitalOf(question.payload()));
    String capital = messaging.request(CAPITALS, "France", TIMEOUT).get();
    Demo.expect("Paris", capital);
    out.println("request-reply: France? " + capital);
  }

  private static String capitalOf(String country) {
    return country.equals("France") ? "Paris" : "unknown";
  }

  private void publishSubscribe() throws Exception {
    AtomicInteger received = new AtomicInteger();
    for (int i = 0; i < 3; i++) {
      messaging.subscribe(PRICES, price -> received.incrementAndGet());
    }
    messaging.publish(PRICES, "17.20").get();
    broker.awaitIdle(TIMEOUT);
    Demo.expect(3, received.get());
    out.println("publish-subscribe: 1 price, 3 subscribers received it");
  }

  /** Each tenth job fails at first and is delivered again. */
  private void pushPull() throws Exception {
    AtomicInteger done = new AtomicInteger();
    Subscription workers = messaging.worker(JOBS).concurrency(4).start(job -> work(job, done));
    long begin = System.nanoTime();
    pushAll();
    broker.awaitIdle(TIMEOUT);
    long millis = (System.nanoTime() - begin) / 1_000_000;
    Demo.expect(COUNT, done.get());
    out.printf("push-pull: %,d jobs done by 4 workers in %d ms, ", COUNT, millis);
    out.printf("%,d failed first and were delivered again%n", workers.counters().failed());
  }

  private static void work(Delivery<String> job, AtomicInteger done) throws IOException {
    if (job.deliveryCount() == 1 && job.payload().endsWith("0")) {
      throw new IOException("paper jam");
    }
    done.incrementAndGet();
  }

  private void pushAll() throws InterruptedException, ExecutionException {
    List<CompletableFuture<Void>> pushed = new ArrayList<>();
    for (int i = 0; i < COUNT; i++) {
      pushed.add(messaging.push(JOBS, "job " + i));
    }
    for (CompletableFuture<Void> each : pushed) {
      each.get();
    }
  }

  private void fireAndForget() throws Exception {
    Subscription receiver = messaging.receive(READINGS, reading -> {});
    for (int i = 0; i < COUNT; i++) {
      messaging.send(READINGS, "21.5");
    }
    broker.awaitIdle(TIMEOUT);
    long received = receiver.counters().acknowledged();
    long dropped = receiver.counters().dropped();
    Demo.expect((long) COUNT, received + dropped);
    out.printf("fire-and-forget: %,d sent without waiting, each received or ", COUNT);
    out.println("counted as dropped");
  }
}
