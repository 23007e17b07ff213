package dev.mullion.messaging.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.testing.ProcessorTime;
import dev.mullion.messaging.testing.Spread;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Push-pull on the engine beside Kafka's own share consumer and producer with the same guarantees,
 * in turn, and what 1,000 subscriptions cost. Arguments: the number of rounds (5), and the
 * milliseconds of each (3,000).
 *
 * <p>Both handle on one thread, since a share consumer has one, write the same headers, send
 * without lingering, and wait for all replicas. Both have at most 1,000 messages without an answer
 * and 10,000, or 32 MiB, that are not handled: without that second bound producers take the
 * processor's time from the consumers, and a rate says how it was divided. A round begins with
 * nothing to handle, and ends when all that was sent is handled; a short one before it, which does
 * not count, lets all consumers join. The client's defaults are 500 records a poll and batches of
 * 16 KiB; in a row of its own it has the engine's, 1,000 and 128 KiB. It has one share consumer,
 * since it handles on its thread. The engine starts further ones by itself if its handlers are
 * quicker than one; its handlers still have one thread. The client does not read the headers that
 * it writes; the engine does. What the engine adds is compiled later than the clients, which both
 * use, so the first {@value #WARM_UP} rounds do not count. The processor's time is that of this
 * process, with the relay between clients and node.
 */
final class KafkaComparison {
  private static final int WARM_UP = 3;
  private static final int OPEN = 1_000;
  private static final int UNHANDLED = 10_000;
  private static final int UNHANDLED_BYTES = 32 << 20;
  private static final long JOIN_MILLIS = 300;
  private static final long LONGEST_NANOS = TimeUnit.SECONDS.toNanos(30);
  private static final int SUBSCRIPTIONS = 1_000;
  private static final String ID = "0123456789abcdef-"; // as long as the engine's

  private final String servers;
  private final long millis;

  private KafkaComparison(String servers, long millis) {
    this.servers = servers;
    this.millis = millis;
  }

  /** Prints the tables. */
  public static void main(String[] args) throws Exception {
    int rounds = args.length > 0 ? Integer.parseInt(args[0]) : 5;
    long millis = args.length > 1 ? Long.parseLong(args[1]) : 3_000;
    try (KafkaNode node = KafkaNode.start(Map.of())) {
      KafkaComparison comparison = new KafkaComparison(node.servers(), millis);
      System.out.println("| bytes | | messages a second | times | CPU of each, us | times |");
      System.out.println("| --- | --- | --- | --- | --- | --- |");
      for (int bytes : List.of(100, 16 * 1024)) {
        comparison.rates(rounds, bytes);
      }
      comparison.subscriptions();
    }
  }

  private void rates(int rounds, int bytes) throws Exception {
    Rates usual = new Rates("share consumer and producer");
    Rates tuned = new Rates("the same, tuned as Mullion");
    Rates engine = new Rates("Mullion");
    for (int round = -WARM_UP; round < rounds; round++) {
      String suffix = "-" + bytes + '-' + round;
      usual.add(round, raw("queue.usual" + suffix, bytes, 500, 16_384));
      tuned.add(round, raw("queue.tuned" + suffix, bytes, 1_000, Settings.BATCH_BYTES));
      engine.add(round, engine("engine" + suffix, bytes));
    }
    for (Rates each : List.of(usual, tuned, engine)) {
      each.print(bytes, usual);
    }
  }

  private record Rate(double aSecond, double micros) {}

  /** A row of the table. */
  private static final class Rates {
    private final String name;
    private final List<Double> aSecond = new ArrayList<>();
    private final List<Double> micros = new ArrayList<>();

    Rates(String name) {
      this.name = name;
    }

    void add(int round, Rate rate) {
      if (round >= 0) {
        aSecond.add(rate.aSecond);
        micros.add(rate.micros);
      }
    }

    void print(int bytes, Rates base) {
      System.out.printf(
          Locale.ROOT,
          "| %,d | %s | %s | %.2f | %s | %.2f |%n",
          bytes,
          name,
          Spread.of(aSecond, "%,.0f"),
          Spread.median(aSecond) / Spread.median(base.aSecond),
          Spread.of(micros, "%.1f"),
          Spread.median(micros) / Spread.median(base.micros));
    }
  }

  private Rate engine(String name, int bytes) throws Exception {
    WorkQueue<byte[]> queue = WorkQueue.of(name, Codecs.bytes());
    LongAdder handled = new LongAdder();
    Semaphore open = new Semaphore(OPEN);
    try (Messaging messaging = Messaging.on(KafkaEngine.on(servers))) {
      messaging.worker(queue).concurrency(1).prefetch(4_000).start(delivery -> handled.increment());
      return rate(
          bytes,
          handled,
          open,
          () ->
              messaging.push(queue, new byte[bytes]).whenComplete((done, error) -> open.release()));
    }
  }

  private Rate raw(String topic, int bytes, int polled, int batch) throws Exception {
    declare(topic);
    Map<String, Object> sends =
        Map.of("bootstrap.servers", servers, "acks", "all", "linger.ms", 0, "batch.size", batch);
    LongAdder handled = new LongAdder();
    Semaphore open = new Semaphore(OPEN);
    AtomicBoolean stopping = new AtomicBoolean();
    AtomicLong ids = new AtomicLong();
    Thread consumer = new Thread(() -> consume(topic, polled, handled, stopping), "raw-consumer");
    consumer.start();
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(sends, new ByteArraySerializer(), new ByteArraySerializer())) {
      return rate(bytes, handled, open, () -> {
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, new byte[bytes]);
        String id = ID + Long.toHexString(ids.incrementAndGet());
        record.headers().add(Records.ID, id.getBytes(UTF_8));
        record.headers().add(Records.CONTENT_TYPE, Codecs.bytes().contentType().getBytes(UTF_8));
        producer.send(record, (done, error) -> open.release());
      });
    } finally {
      stopping.set(true);
      consumer.join();
    }
  }

  /** Creates topic and group as the engine does. */
  private void declare(String topic) throws Exception {
    try (Messaging messaging = Messaging.on(KafkaEngine.on(servers))) {
      messaging.declare(WorkQueue.of(topic.substring("queue.".length()), Codecs.bytes()));
    }
  }

  private void consume(String topic, int polled, LongAdder handled, AtomicBoolean stopping) {
    Map<String, Object> all = new HashMap<>();
    all.put("bootstrap.servers", servers);
    all.put("group.id", topic);
    all.put("share.acknowledgement.mode", "explicit");
    all.put("share.acquire.mode", "record_limit");
    all.put("max.poll.records", polled);
    try (KafkaShareConsumer<byte[], byte[]> consumer =
        new KafkaShareConsumer<>(all, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.subscribe(List.of(topic));
      while (!stopping.get()) {
        for (ConsumerRecord<byte[], byte[]> each : consumer.poll(Duration.ofMillis(100))) {
          handled.increment();
          consumer.acknowledge(each, AcknowledgeType.ACCEPT);
        }
        consumer.commitSync();
      }
    }
  }

  /** Measures a round, once all consumers have joined. */
  private Rate rate(int bytes, LongAdder handled, Semaphore open, Runnable send) throws Exception {
    int unhandled = Math.min(UNHANDLED, UNHANDLED_BYTES / bytes);
    sendAll(1, 0, handled, open, send); // until a consumer has joined
    sendAll(unhandled, JOIN_MILLIS, handled, open, send);
    long before = handled.sum();
    long processor = ProcessorTime.nanos();
    long begin = System.nanoTime();
    sendAll(unhandled, millis, handled, open, send);
    double count = handled.sum() - before;
    long nanos = System.nanoTime() - begin;
    return new Rate(count * 1e9 / nanos, (ProcessorTime.nanos() - processor) / 1e3 / count);
  }

  /** Sends one message or more, for that many milliseconds, and waits until they are handled. */
  private static void sendAll(
      int unhandled, long millis, LongAdder handled, Semaphore open, Runnable send)
      throws InterruptedException {
    long begin = System.nanoTime();
    long before = handled.sum();
    long sent = 0;
    while (sent == 0 || System.nanoTime() - begin < TimeUnit.MILLISECONDS.toNanos(millis)) {
      if (sent - (handled.sum() - before) >= unhandled) {
        LockSupport.parkNanos(100_000);
      } else if (open.tryAcquire(100, TimeUnit.MILLISECONDS)) {
        send.run();
        sent++;
      }
    }
    long end = System.nanoTime();
    while (handled.sum() - before < sent) {
      if (System.nanoTime() - end > LONGEST_NANOS) {
        throw new IllegalStateException(sent + " sent, but handled: " + (handled.sum() - before));
      }
      LockSupport.parkNanos(100_000);
    }
  }

  private void subscriptions() throws Exception {
    try (Messaging messaging = Messaging.on(KafkaEngine.on(servers))) {
      Topic<byte[]> topic = Topic.of("prices", Codecs.bytes());
      LongAdder received = new LongAdder();
      subscribe(messaging, topic, received); // what the first one starts is not counted
      int threads = Thread.activeCount();
      long heap = heap();
      for (int i = 0; i < SUBSCRIPTIONS; i++) {
        subscribe(messaging, topic, received);
      }
      System.out.printf(
          "%d live subscriptions of one Messaging: %d bytes of heap each, %d more threads%n",
          SUBSCRIPTIONS, (heap() - heap) / SUBSCRIPTIONS, Thread.activeCount() - threads);
    }
  }

  private static void subscribe(Messaging messaging, Topic<byte[]> topic, LongAdder received)
      throws Exception {
    messaging
        .subscribe(topic, each -> received.increment())
        .ready()
        .toCompletableFuture()
        .get(30, TimeUnit.SECONDS);
  }

  private static long heap() {
    System.gc();
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }
}
