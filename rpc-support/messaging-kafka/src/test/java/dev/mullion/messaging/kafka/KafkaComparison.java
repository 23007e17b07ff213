package dev.mullion.messaging.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.testing.JavaProcess;
import dev.mullion.messaging.testing.Spread;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

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
 * it writes; the engine does. Each side has a process of its own, and the processor's time is that
 * of this process. Before that, each makes a round of {@value #WARM_UP_MILLIS} ms that does not
 * count: in shorter ones the compiler used more of the processor than the messages.
 */
final class KafkaComparison {
  private static final int SMALL = 100;
  private static final long WARM_UP_MILLIS = 45_000;
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
    try (Side usual = new Side("usual", "share consumer and producer");
        Side tuned = new Side("tuned", "the same, tuned as Mullion");
        Side engine = new Side("engine", "Mullion")) {
      List<Side> all = List.of(usual, tuned, engine);
      for (Side each : all) {
        each.round(SMALL, WARM_UP_MILLIS);
      }
      System.out.println("| bytes | | messages a second | times | CPU of each, us | times |");
      System.out.println("| --- | --- | --- | --- | --- | --- |");
      for (int bytes : List.of(SMALL, 16 * 1024)) {
        rates(all, rounds, bytes);
      }
    }
  }

  /** Makes rounds of all sides in turn; the first one does not count. */
  private void rates(List<Side> all, int rounds, int bytes) throws Exception {
    List<Rates> rates = all.stream().map(each -> new Rates(each.title)).toList();
    for (int round = -1; round < rounds; round++) {
      for (int i = 0; i < all.size(); i++) {
        rates.get(i).add(round, all.get(i).round(bytes, millis));
      }
    }
    rates.forEach(each -> each.print(bytes, rates.get(0)));
  }

  /** A side's process. */
  private final class Side implements AutoCloseable {
    private final String title;
    private final Process process;
    private final BufferedReader output;

    Side(String name, String title) throws IOException {
      this.title = title;
      this.process = new ProcessBuilder(
              Path.of(System.getProperty("java.home"), "bin", "java").toString(),
              "-cp",
              System.getProperty("java.class.path"),
              KafkaSide.class.getName(),
              servers,
              name)
          .redirectError(ProcessBuilder.Redirect.INHERIT)
          .start();
      this.output = JavaProcess.output(process);
    }

    KafkaSide.Rate round(int bytes, long millis) throws IOException {
      process.getOutputStream().write((bytes + " " + millis + '\n').getBytes(UTF_8));
      process.getOutputStream().flush();
      for (String line = output.readLine(); line != null; line = output.readLine()) {
        if (KafkaSide.Rate.isIn(line)) {
          return KafkaSide.Rate.of(line);
        }
      }
      throw new IOException("the process of a side has ended: " + title);
    }

    @Override
    public void close() throws IOException {
      process.destroy();
      output.close();
    }
  }

  /** A row of the table. */
  private static final class Rates {
    private final String name;
    private final List<Double> aSecond = new ArrayList<>();
    private final List<Double> micros = new ArrayList<>();

    Rates(String name) {
      this.name = name;
    }

    void add(int round, KafkaSide.Rate rate) {
      if (round >= 0) {
        aSecond.add(rate.aSecond());
        micros.add(rate.micros());
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
