package dev.mullion.messaging.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.testing.ProcessorTime;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
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
 * One side of {@link KafkaComparison} in a process of its own: {@code usual}, {@code tuned} or
 * {@code engine}. For each line that it reads, with the bytes of a message and the milliseconds, it
 * makes a round and writes what it has measured.
 */
final class KafkaSide {
  private static final int OPEN = 1_000;
  private static final int UNHANDLED = 10_000;
  private static final int UNHANDLED_BYTES = 32 << 20;
  private static final long JOIN_MILLIS = 300;
  private static final long LONGEST_NANOS = TimeUnit.SECONDS.toNanos(30);
  private static final String ID = "0123456789abcdef-"; // as long as the engine's

  private final String servers;
  private final int bytes;
  private final long millis;

  private KafkaSide(String servers, int bytes, long millis) {
    this.servers = servers;
    this.bytes = bytes;
    this.millis = millis;
  }

  /** Messages a second, and what each has used of this process's processor, in microseconds. */
  record Rate(double aSecond, double micros) {
    private static final String BEGIN = "rate ";

    String line() {
      return BEGIN + aSecond + ' ' + micros;
    }

    static boolean isIn(String line) {
      return line.startsWith(BEGIN);
    }

    static Rate of(String line) {
      String[] words = line.split(" ", -1);
      return new Rate(Double.parseDouble(words[1]), Double.parseDouble(words[2]));
    }
  }

  /** Arguments: the servers, and the side. */
  public static void main(String[] args) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    int round = 0;
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] words = line.split(" ", -1);
      KafkaSide side = new KafkaSide(args[0], Integer.parseInt(words[0]), Long.parseLong(words[1]));
      System.out.println(side.round(args[1], args[1] + '-' + round++).line());
      System.out.flush();
    }
  }

  private Rate round(String side, String name) throws Exception {
    return switch (side) {
      case "usual" -> raw("queue." + name, 500, 16_384);
      case "tuned" -> raw("queue." + name, 1_000, Settings.BATCH_BYTES);
      default -> engine(name);
    };
  }

  private Rate engine(String name) throws Exception {
    WorkQueue<byte[]> queue = WorkQueue.of(name, Codecs.bytes());
    LongAdder handled = new LongAdder();
    Semaphore open = new Semaphore(OPEN);
    try (Messaging messaging = Messaging.on(KafkaEngine.on(servers))) {
      messaging.worker(queue).concurrency(1).prefetch(4_000).start(delivery -> handled.increment());
      return rate(
          handled,
          open,
          () ->
              messaging.push(queue, new byte[bytes]).whenComplete((done, error) -> open.release()));
    }
  }

  private Rate raw(String topic, int polled, int batch) throws Exception {
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
      return rate(handled, open, () -> {
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
  private Rate rate(LongAdder handled, Semaphore open, Runnable send) throws Exception {
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
}
