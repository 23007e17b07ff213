package dev.mullion.messaging;

import static dev.mullion.messaging.EmbeddedFixture.await;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Several threads push to a queue, settle in all ways, and come and go: each job ends once. */
class QueueThreadsTest {
  private static final int JOBS = Integer.getInteger("messaging.threads.jobs", 2_000);
  private static final int THREADS = 3;

  private final Map<String, Integer> ended = new ConcurrentHashMap<>();
  private final AtomicInteger overtaken = new AtomicInteger();

  @ParameterizedTest
  @CsvSource({"false, false", "true, false", "false, true", "true, true"})
  void nothingIsLostAndNothingEndsTwice(boolean ordered, boolean stored) throws Exception {
    try (EmbeddedFixture embedded = new EmbeddedFixture(stored ? new MemoryStore() : null)) {
      Route.Queue jobs = EmbeddedFixture.builder("jobs")
          .ordered(ordered)
          .capacity(50)
          .maxDeadLetters(100_000)
          .build()
          .route();
      List<Thread> threads = new ArrayList<>();
      List<Throwable> failures = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        int number = i;
        threads.add(new Thread(() -> push(embedded, jobs, number)));
        threads.add(new Thread(() -> work(embedded, jobs)));
      }
      threads.forEach(thread -> thread.setUncaughtExceptionHandler((which, error) -> {
        synchronized (failures) {
          failures.add(error);
        }
      }));
      threads.forEach(Thread::start);
      for (Thread thread : threads) {
        thread.join(60_000);
        assertThat(thread.isAlive()).isFalse();
      }
      assertThat(failures).isEmpty();
      embedded.broker.awaitIdle(Duration.ofSeconds(10));
      for (DeadLetter letter : await(embedded.link.deadLetters(jobs).peek(100_000))) {
        end(new String(letter.original().payload(), java.nio.charset.StandardCharsets.UTF_8));
      }
      assertThat(ended)
          .hasSize(JOBS * THREADS)
          .allSatisfy((job, times) -> assertThat(times).as(job).isEqualTo(1));
      QueueStatus status = embedded.status("jobs");
      assertThat(status.waiting() + status.inFlight() + status.delayed()).isZero();
      assertThat(overtaken).hasValue(0);
    }
  }

  private void push(EmbeddedFixture embedded, Route.Queue jobs, int number) {
    try {
      for (int i = 0; i < JOBS; i++) {
        Message<byte[]> job = EmbeddedFixture.message(number + "-" + i);
        await(
            EmbeddedFixture.send(embedded.link, jobs, i % 4 == 0 ? job.withKey("k" + i % 5) : job));
      }
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  private void work(EmbeddedFixture embedded, Route.Queue jobs) {
    try {
      while (ended.size() + buried(embedded, jobs) < (long) JOBS * THREADS) {
        workFor(embedded, jobs, 200);
      }
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  private static long buried(EmbeddedFixture embedded, Route.Queue jobs) throws Exception {
    return await(embedded.link.deadLetters(jobs).count());
  }

  /** Comes, settles about that many deliveries, and goes without settling the rest. */
  private void workFor(EmbeddedFixture embedded, Route.Queue jobs, int deliveries)
      throws Exception {
    ConcurrentLinkedQueue<RawDelivery> got = new ConcurrentLinkedQueue<>();
    AtomicInteger credit = new AtomicInteger(5);
    Source source = embedded.link.consume(
        jobs, new ConsumerSettings(5, 5, 1, Overflow.FAIL), counting(got, credit));
    source.request(5);
    long end = System.nanoTime() + 200_000_000;
    for (int i = 0; i < deliveries && System.nanoTime() < end; ) {
      RawDelivery delivery = got.poll();
      if (delivery == null) {
        LockSupport.parkNanos(20_000);
        continue;
      }
      i++;
      settle(delivery);
      if (i % 5 == 0) {
        credit.addAndGet(7);
        source.poll(7);
      }
      credit.incrementAndGet();
      source.request(1);
    }
    if (ThreadLocalRandom.current().nextBoolean()) {
      source.cancel();
      int before = got.size();
      assertThat(got).hasSize(before);
    }
    source.close();
    if (!got.isEmpty()) {
      assertThat(await(got.remove().settle(new Outcome.Acknowledge())))
          .isEqualTo(Settlement.LEASE_LOST);
    }
  }

  private Sink counting(ConcurrentLinkedQueue<RawDelivery> got, AtomicInteger credit) {
    return new Sink() {
      @Override
      public void deliver(RawDelivery delivery) {
        if (credit.decrementAndGet() < 0) {
          overtaken.incrementAndGet();
        }
        got.add(delivery);
      }

      @Override
      public void dropped(long messages) {}

      @Override
      public void failed(MessagingException cause) {
        throw new AssertionError(cause);
      }
    };
  }

  private void settle(RawDelivery delivery) throws Exception {
    int which = ThreadLocalRandom.current().nextInt(20);
    if (which == 0) {
      delivery.settle(new Outcome.Redeliver(Duration.ZERO, "failed"));
    } else if (which == 1) {
      delivery.settle(new Outcome.GiveBack(false));
    } else if (which == 2) {
      delivery.settle(new Outcome.Bury(DeadLetter.Reason.REJECTED, ""));
    } else {
      String text = RecordingSink.text(delivery);
      if (await(delivery.settle(new Outcome.Acknowledge())) == Settlement.APPLIED) {
        end(text);
      }
    }
  }

  private void end(String job) {
    ended.merge(job, 1, Integer::sum);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 4})
  void eachSubscriberGetsAllInTheOrderOfEachSender(int subscribers) throws Exception {
    try (EmbeddedFixture embedded = new EmbeddedFixture()) {
      Route.Topic topic = new Route.Topic("news");
      List<OrderedSink> sinks = new ArrayList<>();
      for (int i = 0; i < subscribers; i++) {
        OrderedSink sink = new OrderedSink();
        sinks.add(sink);
        sink.source =
            embedded.link.consume(topic, new ConsumerSettings(8, 8, 16, Overflow.BLOCK), sink);
        sink.source.request(8);
      }
      List<Thread> senders = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        int number = i;
        senders.add(new Thread(() -> push(embedded, topic, number)));
      }
      senders.forEach(Thread::start);
      for (Thread sender : senders) {
        sender.join(60_000);
        assertThat(sender.isAlive()).isFalse();
      }
      for (OrderedSink sink : sinks) {
        Waiting.until(() -> sink.got.get() == JOBS * THREADS);
        assertThat(sink.disorder).hasValue(0);
      }
    }
  }

  private static void push(EmbeddedFixture embedded, Route.Topic topic, int number) {
    try {
      for (int i = 0; i < JOBS; i++) {
        Message<byte[]> news = EmbeddedFixture.message(number + "-" + i);
        await(EmbeddedFixture.send(embedded.link, topic, news));
      }
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  /** Checks the order of each sender, and asks for one more after each message. */
  private static final class OrderedSink implements Sink {
    final AtomicInteger got = new AtomicInteger();
    final AtomicInteger disorder = new AtomicInteger();
    private final int[] next = new int[THREADS];
    private volatile Source source = new NoSource();

    @Override
    public void deliver(RawDelivery delivery) {
      String text = RecordingSink.text(delivery);
      int sender = text.charAt(0) - '0';
      if (next[sender]++ != Integer.parseInt(text.substring(2))) {
        disorder.incrementAndGet();
      }
      got.incrementAndGet();
      delivery.settle(new Outcome.Acknowledge());
      source.request(1);
    }

    @Override
    public void dropped(long messages) {
      disorder.incrementAndGet();
    }

    @Override
    public void failed(MessagingException cause) {}
  }

  /** Stands until the real one is there. */
  private static final class NoSource implements Source {
    @Override
    public void request(int deliveries) {
      throw new AssertionError("delivered before it was asked for");
    }

    @Override
    public CompletionStage<Void> ready() {
      return Parcel.DONE;
    }

    @Override
    public void cancel() {}

    @Override
    public void close() {}
  }

  @Test
  void cancelWaitsForADeliveryUnderWay() throws Exception {
    try (EmbeddedFixture embedded = new EmbeddedFixture()) {
      Route.Queue jobs = EmbeddedFixture.queue("jobs");
      CountDownLatch inside = new CountDownLatch(1);
      CountDownLatch go = new CountDownLatch(1);
      AtomicInteger delivered = new AtomicInteger();
      Source source =
          embedded.link.consume(jobs, new ConsumerSettings(5, 5, 1, Overflow.FAIL), new Sink() {
            @Override
            public void deliver(RawDelivery delivery) {
              inside.countDown();
              try {
                go.await();
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
              delivered.incrementAndGet();
            }

            @Override
            public void dropped(long messages) {}

            @Override
            public void failed(MessagingException cause) {}
          });
      embedded.push(jobs, "a", "b");
      Thread asking = new Thread(() -> source.request(2));
      asking.start();
      inside.await();
      Thread cancelling = new Thread(source::cancel);
      cancelling.start();
      Waiting.untilBlocked(cancelling);
      go.countDown();
      cancelling.join(10_000);
      asking.join(10_000);
      assertThat(cancelling.isAlive()).isFalse();
      assertThat(delivered).hasValue(2); // both were on their way
      embedded.push(jobs, "c");
      assertThat(delivered).hasValue(2);
    }
  }
}
