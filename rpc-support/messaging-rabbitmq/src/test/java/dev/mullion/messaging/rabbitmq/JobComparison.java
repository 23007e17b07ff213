package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.testing.ProcessorTime;
import dev.mullion.messaging.testing.Spread;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Compares jobs with the same done by RabbitMQ's own client, on a broker of its own: persistent and
 * mandatory messages with an id to a quorum queue, 1,000 without a confirm at most, and a consumer
 * that holds 250 and acknowledges each. The client has its default socket, and Netty. Each round
 * pushes for a while, and lasts until all are handled, for each kind in turn in one process. The
 * table tells the medians of all rounds but the first ones, which warm up, with the lowest and
 * highest round; the processor's time is that of this process. Arguments: the number of rounds (7),
 * the milliseconds of each (2000).
 */
final class JobComparison {
  private static final int OPEN = 1_000;
  private static final int HELD = 250;
  private static final int WARM_UP = 6;
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private JobComparison() {}

  /** Runs all rounds and prints the table. */
  public static void main(String[] args) throws Exception {
    int rounds = args.length > 0 ? Integer.parseInt(args[0]) : 7;
    long nanos = (args.length > 1 ? Long.parseLong(args[1]) : 2_000) * 1_000_000;
    try (Broker broker = Broker.start()) {
      System.out.println("| bytes | | jobs a second | times | CPU of each, us | times |");
      System.out.println("| --- | --- | --- | --- | --- | --- |");
      for (int bytes : new int[] {100, 16 * 1024}) {
        compare(broker.port(), bytes, rounds, nanos);
      }
    }
    System.exit(0); // the client's threads
  }

  private static void compare(int port, int bytes, int rounds, long nanos) throws Exception {
    try (Case plain = new Plainly("amqp-client", port, false, bytes);
        Case netty = new Plainly("amqp-client on Netty", port, true, bytes);
        Case ours = new Ours(port, bytes)) {
      List<Case> cases = List.of(plain, netty, ours);
      for (int round = -WARM_UP; round < rounds; round++) {
        for (int i = 0; i < cases.size(); i++) {
          cases.get(Math.floorMod(i + round, cases.size())).run(nanos, round >= 0);
        }
      }
      for (Case each : cases) {
        System.out.printf(
            Locale.ROOT,
            "| %,d | %s | %s | %.2f | %s | %.2f |%n",
            bytes,
            each.name,
            Spread.of(each.rates, "%,.0f"),
            Spread.median(each.rates) / Spread.median(plain.rates),
            Spread.of(each.processor, "%.1f"),
            Spread.median(each.processor) / Spread.median(plain.processor));
      }
    }
  }

  /** A row of the table. */
  private abstract static class Case implements AutoCloseable {
    final String name;
    final byte[] payload;
    final Semaphore free = new Semaphore(OPEN);
    final LongAdder failed = new LongAdder();
    final AtomicLong handled = new AtomicLong();
    final List<Double> rates = new ArrayList<>();
    final List<Double> processor = new ArrayList<>();

    Case(String name, int bytes) {
      this.name = name;
      this.payload = new byte[bytes];
    }

    abstract void push() throws IOException;

    @Override
    public abstract void close() throws IOException;

    final void run(long nanos, boolean counts) throws Exception {
      long before = ProcessorTime.nanos();
      long first = handled.get();
      long begin = System.nanoTime();
      long pushed = 0;
      while (System.nanoTime() - begin < nanos) {
        free.acquire();
        push();
        pushed++;
      }
      while (handled.get() < first + pushed) {
        if (System.nanoTime() - begin > nanos + PATIENCE.toNanos() || failed.sum() > 0) {
          throw new IllegalStateException(name + ": handled " + (handled.get() - first) + " of "
              + pushed + ", failed " + failed.sum());
        }
        TimeUnit.MICROSECONDS.sleep(200);
      }
      double seconds = (System.nanoTime() - begin) / 1e9;
      if (counts) {
        rates.add(pushed / seconds);
        processor.add((ProcessorTime.nanos() - before) / 1e3 / pushed);
      }
    }
  }

  /** The client as its users have it: one connection that sends, and one that receives. */
  private static final class Plainly extends Case {
    private final String queue = "plain-" + UUID.randomUUID();
    private final ConcurrentSkipListMap<Long, Boolean> open = new ConcurrentSkipListMap<>();
    private final String prefix = UUID.randomUUID() + "-";
    private final Connection sending;
    private final Connection receiving;
    private final Channel channel;

    Plainly(String name, int port, boolean netty, int bytes) throws Exception {
      super(name, bytes);
      ConnectionFactory factory = new ConnectionFactory();
      factory.setHost("127.0.0.1");
      factory.setPort(port);
      if (netty) {
        factory.netty();
      }
      this.sending = factory.newConnection();
      this.receiving = factory.newConnection();
      this.channel = sending.createChannel();
      channel.queueDeclare(
          queue, true, false, false, Map.of("x-queue-type", "quorum", "x-delivery-limit", 10_000));
      channel.confirmSelect();
      channel.addConfirmListener(
          (number, multiple) -> confirmed(number, multiple),
          (number, multiple) -> failed.increment());
      channel.addReturnListener(returned -> failed.increment());
      Channel consumed = receiving.createChannel();
      consumed.basicQos(HELD);
      consumed.basicConsume(queue, false, new DefaultConsumer(consumed) {
        @Override
        public void handleDelivery(
            String tag, Envelope envelope, BasicProperties properties, byte[] body)
            throws IOException {
          consumed.basicAck(envelope.getDeliveryTag(), false);
          handled.incrementAndGet();
        }
      });
    }

    private void confirmed(long number, boolean multiple) {
      if (multiple) {
        for (Long each : open.headMap(number, true).keySet()) {
          release(each);
        }
      } else {
        release(number);
      }
    }

    private void release(long number) {
      if (open.remove(number) != null) {
        free.release();
      }
    }

    @Override
    void push() throws IOException {
      long number = channel.getNextPublishSeqNo();
      open.put(number, true);
      BasicProperties properties = new BasicProperties.Builder()
          .deliveryMode(2)
          .messageId(prefix + number)
          .build();
      channel.basicPublish("", queue, true, properties, payload);
    }

    @Override
    public void close() throws IOException {
      sending.close();
      receiving.close();
    }
  }

  /** A work queue, and a worker of another {@code Messaging}. */
  private static final class Ours extends Case {
    private final WorkQueue<byte[]> queue =
        WorkQueue.of("compared-" + System.nanoTime(), Codecs.bytes());
    private final Messaging sending;
    private final Messaging receiving;

    Ours(int port, int bytes) throws Exception {
      super("Mullion", bytes);
      RabbitMqEngine engine =
          RabbitMqEngine.builder().addresses("127.0.0.1:" + port).build();
      this.sending = Messaging.on(engine);
      this.receiving = Messaging.on(engine);
      sending.declare(queue);
      receiving
          .worker(queue)
          .concurrency(1)
          .prefetch(HELD - 1)
          .start(delivery -> handled.incrementAndGet());
    }

    @Override
    void push() {
      sending.push(queue, payload).whenComplete(this::confirmed);
    }

    private void confirmed(@Nullable Void none, @Nullable Throwable error) {
      if (error != null) {
        failed.increment();
      }
      free.release();
    }

    @Override
    public void close() {
      sending.close();
      receiving.close();
    }
  }
}
