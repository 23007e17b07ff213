package dev.mullion.messaging;

import dev.mullion.messaging.testing.Spread;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;

/**
 * Compares the embedded engine in memory with JeroMQ's {@code inproc} sockets, which acknowledge,
 * count and redeliver nothing: one sender, and one or four receivers, messages of 100 bytes. The
 * table tells the medians of all rounds, with the slowest and fastest round. Nothing is dropped on
 * either side: the sender waits. Afterwards it tells how long a {@code send} takes whose receiver
 * is stuck. Arguments: the number of rounds (11), the milliseconds of each (1000), and what a
 * case's name begins with.
 *
 * <p>The two take turns, and each has a JVM of its own: in one JVM what the compiler has learned
 * from one side, and what one leaves to the collector, slows the other down. Both begin with rounds
 * that do not count, for {@value #WARM_UP_SECONDS} seconds in each case: that long the compiler is
 * at work beside them, which on two cores takes one of them, and JeroMQ gets faster to the end.
 */
final class MessagingComparison {
  private static final int WARM_UP_SECONDS = 15;
  private static final int WARM_UP_SENDS = 100; // rounds, which take some seconds
  private static final int BYTES = 100;
  private static final int SENDS = 200_000;

  private static final Signal<byte[]> PING = Signal.of("ping", Codecs.bytes());

  private MessagingComparison() {}

  /** Runs all cases and prints the table. */
  public static void main(String[] args) throws Exception {
    int rounds = args.length > 0 ? Integer.parseInt(args[0]) : 11;
    long nanos = (args.length > 1 ? Long.parseLong(args[1]) : 1000) * 1_000_000;
    String only = args.length > 2 ? args[2] : "";
    List<Case> cases = new ArrayList<>();
    for (String pattern : List.of("push-pull", "publish-subscribe")) {
      for (int receivers : new int[] {1, 4}) {
        cases.add(new Case(pattern, receivers));
      }
    }
    cases.removeIf(each -> !each.name().startsWith(only));
    long warmUp = Duration.ofSeconds(WARM_UP_SECONDS).toNanos();
    try (ComparedSide ours = new ComparedSide(true);
        ComparedSide theirs = new ComparedSide(false)) {
      for (long round = -(warmUp + nanos - 1) / nanos; round < rounds; round++) {
        for (Case each : cases) {
          each.run(ours, theirs, nanos, round);
        }
      }
    }
    System.out.println("| Million messages a second | Mullion | JeroMQ | Ratio |");
    System.out.println("| --- | --- | --- | --- |");
    cases.forEach(Case::print);
    if ("send".startsWith(only)) {
      timeSends(rounds);
    }
  }

  /** A row of the table. */
  private static final class Case {
    private final String pattern;
    private final int receivers;
    private final List<Double> ourRates = new ArrayList<>();
    private final List<Double> theirRates = new ArrayList<>();

    Case(String pattern, int receivers) {
      this.pattern = pattern;
      this.receivers = receivers;
    }

    String name() {
      return pattern + " 1:" + receivers;
    }

    void run(ComparedSide ours, ComparedSide theirs, long nanos, long round) throws IOException {
      boolean first = round % 2 == 0;
      double theirRate = first ? 0 : theirs.run(pattern, receivers, nanos);
      double ourRate = ours.run(pattern, receivers, nanos);
      theirRate = first ? theirs.run(pattern, receivers, nanos) : theirRate;
      if (round >= 0) {
        ourRates.add(ourRate / 1e6);
        theirRates.add(theirRate / 1e6);
      }
    }

    void print() {
      System.out.printf(
          Locale.ROOT,
          "| %s | %s | %s | %.2f |%n",
          name(),
          Spread.of(ourRates, "%.2f"),
          Spread.of(theirRates, "%.2f"),
          Spread.median(ourRates) / Spread.median(theirRates));
    }
  }

  static Messaging messaging() throws MessagingException {
    return Messaging.builder(EmbeddedEngine.inMemory())
        .sendTimeout(Duration.ofSeconds(30))
        .start();
  }

  /** Tells how long sends take while the only receiver is stuck in its handler. */
  private static void timeSends(int rounds) throws Exception {
    List<List<Double>> micros = List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
    for (int round = -WARM_UP_SENDS; round < rounds; round++) {
      long[] times = sends();
      for (int i = 0; round >= 0 && i < micros.size(); i++) {
        int rank = (int) (SENDS * new double[] {0.5, 0.99, 0.999}[i]);
        micros.get(i).add(times[rank] / 1e3);
      }
    }
    System.out.printf(
        Locale.ROOT,
        "%nsend with a receiver that is stuck, in microseconds, medians of %d rounds of %d:"
            + " p50 %.2f, p99 %.2f, p99.9 %.2f (%.2f to %.2f)%n",
        rounds,
        SENDS,
        Spread.median(micros.get(0)),
        Spread.median(micros.get(1)),
        Spread.median(micros.get(2)),
        micros.get(2).stream().mapToDouble(Double::doubleValue).min().orElse(Double.NaN),
        micros.get(2).stream().mapToDouble(Double::doubleValue).max().orElse(Double.NaN));
  }

  private static long[] sends() throws Exception {
    byte[] message = new byte[BYTES];
    long[] times = new long[SENDS];
    CountDownLatch stuck = new CountDownLatch(1);
    CountDownLatch end = new CountDownLatch(1);
    try (Messaging messaging = messaging()) {
      messaging.receive(PING, signal -> {
        stuck.countDown();
        end.await();
      });
      messaging.send(PING, message);
      stuck.await();
      for (int i = 0; i < SENDS; i++) {
        long start = System.nanoTime();
        messaging.send(PING, message);
        times[i] = System.nanoTime() - start;
      }
      end.countDown();
    } finally {
      end.countDown();
    }
    Arrays.sort(times);
    return times;
  }
}
