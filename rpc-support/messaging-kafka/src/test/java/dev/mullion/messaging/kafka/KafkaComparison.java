package dev.mullion.messaging.kafka;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.testing.Spread;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
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
 */
final class KafkaComparison {
  private static final int OPEN = 1_000;
  private static final int SUBSCRIPTIONS = 1_000;

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
      comparison.rates(rounds);
      comparison.subscriptions();
    }
  }

  private void rates(int rounds) throws Exception {
    System.out.println("| bytes | messages/s, engine | share consumer and producer | ratio |");
    System.out.println("| --- | --- | --- | --- |");
    for (int size : List.of(100, 16 * 1024)) {
      List<Double> engine = new ArrayList<>();
      List<Double> raw = new ArrayList<>();
      for (int round = -1; round < rounds; round++) { // the first one warms up
        double ours = engine("engine-" + size + '-' + round, size);
        double theirs = raw("queue.raw-" + size + '-' + round, size);
        if (round >= 0) {
          engine.add(ours);
          raw.add(theirs);
        }
      }
      double ours = Spread.median(engine);
      double theirs = Spread.median(raw);
      System.out.printf("| %d | %.0f | %.0f | %.2f |%n", size, ours, theirs, ours / theirs);
    }
  }

  private double engine(String name, int size) throws Exception {
    WorkQueue<byte[]> queue = WorkQueue.of(name, Codecs.bytes());
    LongAdder handled = new LongAdder();
    Semaphore open = new Semaphore(OPEN);
    try (Messaging messaging = Messaging.on(KafkaEngine.on(servers))) {
      messaging
          .worker(queue)
          .concurrency(16)
          .prefetch(2_000)
          .start(delivery -> handled.increment());
      return rate(
          handled,
          open,
          () ->
              messaging.push(queue, new byte[size]).whenComplete((done, error) -> open.release()));
    }
  }

  private double raw(String topic, int size) throws Exception {
    declare(topic);
    Map<String, Object> sends = new HashMap<>(Map.of("bootstrap.servers", servers, "acks", "all"));
    LongAdder handled = new LongAdder();
    Semaphore open = new Semaphore(OPEN);
    AtomicBoolean stopping = new AtomicBoolean();
    Thread consumer = new Thread(() -> consume(topic, handled, stopping), "raw-consumer");
    consumer.start();
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(sends, new ByteArraySerializer(), new ByteArraySerializer())) {
      return rate(
          handled,
          open,
          () -> producer.send(
              new ProducerRecord<>(topic, new byte[size]), (done, error) -> open.release()));
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

  private void consume(String topic, LongAdder handled, AtomicBoolean stopping) {
    Map<String, Object> all = new HashMap<>();
    all.put("bootstrap.servers", servers);
    all.put("group.id", topic);
    all.put("share.acknowledgement.mode", "explicit");
    all.put("share.acquire.mode", "record_limit");
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

  /** Sends for a while, begun with the first message that was handled. */
  private double rate(LongAdder handled, Semaphore open, Runnable send) throws Exception {
    while (handled.sum() == 0) {
      if (open.tryAcquire(100, TimeUnit.MILLISECONDS)) {
        send.run();
      }
    }
    long before = handled.sum();
    long begin = System.nanoTime();
    while (System.nanoTime() - begin < TimeUnit.MILLISECONDS.toNanos(millis)) {
      if (open.tryAcquire(100, TimeUnit.MILLISECONDS)) {
        send.run();
      }
    }
    return (handled.sum() - before) * 1e9 / (System.nanoTime() - begin);
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
