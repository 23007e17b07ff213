package dev.mullion.messaging;

import dev.mullion.messaging.testing.Spread;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.zeromq.SocketType;
import org.zeromq.ZMQ;
import org.zeromq.ZMQException;

/**
 * Compares the embedded engine in memory with JeroMQ's {@code inproc} sockets, which acknowledge,
 * count and redeliver nothing: one sender, and one or four receivers, messages of 100 bytes. The
 * two take turns in the same process; the table tells the medians of all rounds but the first ones,
 * which warm up, with the slowest and fastest round. Nothing is dropped on either side: the sender
 * waits. Afterwards it tells how long a {@code send} takes whose receiver is stuck. Arguments: the
 * number of rounds (11), the milliseconds of each (500), and what a case's name begins with.
 */
final class MessagingComparison {
  private static final int BYTES = 100;
  private static final int WARM_UP = 3;
  private static final int BOUND = 10_000;
  private static final int PREFETCH = 256;
  private static final int SENDS = 200_000;
  private static final int CLOCK_EVERY = 64; // messages
  private static final int PADDING = 16; // longs: each receiver counts in a cache line of its own

  private static final WorkQueue<byte[]> JOBS = WorkQueue.builder("jobs", Codecs.bytes())
      .capacity(BOUND)
      .overflow(Overflow.BLOCK)
      .build();
  private static final Topic<byte[]> NEWS = Topic.of("news", Codecs.bytes());
  private static final Signal<byte[]> PING = Signal.of("ping", Codecs.bytes());

  private MessagingComparison() {}

  /** Runs all cases and prints the table. */
  public static void main(String[] args) throws Exception {
    int rounds = args.length > 0 ? Integer.parseInt(args[0]) : 11;
    long nanos = (args.length > 1 ? Long.parseLong(args[1]) : 500) * 1_000_000;
    String only = args.length > 2 ? args[2] : "";
    List<Case> cases = new ArrayList<>();
    for (int receivers : new int[] {1, 4}) {
      cases.add(new Case("push-pull", receivers, new Jobs(), new Sockets(true)));
    }
    for (int receivers : new int[] {1, 4}) {
      cases.add(new Case("publish-subscribe", receivers, new News(), new Sockets(false)));
    }
    cases.removeIf(each -> !each.name.startsWith(only));
    for (int round = -WARM_UP; round < rounds; round++) {
      for (Case each : cases) {
        each.run(nanos, round);
      }
    }
    System.out.println("| Million messages a second | Mullion | JeroMQ | Ratio |");
    System.out.println("| --- | --- | --- | --- |");
    cases.forEach(Case::print);
    if ("send".startsWith(only)) {
      timeSends(rounds);
    }
  }

  /** Something that is measured: one sender on the calling thread. */
  private interface Target {
    /** Sends for that time, waits until all has arrived, and returns the messages a second. */
    double run(int receivers, long nanos) throws Exception;
  }

  /** A row of the table. */
  private static final class Case {
    private final String name;
    private final int receivers;
    private final Target ours;
    private final Target theirs;
    private final List<Double> ourRates = new ArrayList<>();
    private final List<Double> theirRates = new ArrayList<>();

    Case(String name, int receivers, Target ours, Target theirs) {
      this.name = name;
      this.receivers = receivers;
      this.ours = ours;
      this.theirs = theirs;
    }

    void run(long nanos, int round) throws Exception {
      boolean first = round % 2 == 0;
      double theirRate = first ? 0 : theirs.run(receivers, nanos);
      double ourRate = ours.run(receivers, nanos);
      theirRate = first ? theirs.run(receivers, nanos) : theirRate;
      if (round >= 0) {
        ourRates.add(ourRate / 1e6);
        theirRates.add(theirRate / 1e6);
      }
    }

    void print() {
      System.out.printf(
          Locale.ROOT,
          "| %s 1:%d | %s | %s | %.2f |%n",
          name,
          receivers,
          Spread.of(ourRates, "%.2f"),
          Spread.of(theirRates, "%.2f"),
          Spread.median(ourRates) / Spread.median(theirRates));
    }
  }

  /** Counts what arrives; each receiver has a cell of its own, which it alone writes. */
  private static final class Arrivals {
    private final AtomicLong[] cells;

    Arrivals(int receivers) {
      cells = new AtomicLong[receivers * PADDING];
      Arrays.setAll(cells, i -> new AtomicLong());
    }

    AtomicLong cell(int receiver) {
      return cells[receiver * PADDING];
    }

    static void count(AtomicLong cell) {
      cell.lazySet(cell.getPlain() + 1);
    }

    void await(long expected) {
      long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
      while (Arrays.stream(cells).mapToLong(AtomicLong::get).sum() < expected) {
        if (System.nanoTime() - end > 0) {
          throw new IllegalStateException("messages are missing: "
              + Arrays.stream(cells).mapToLong(AtomicLong::get).sum() + " of " + expected);
        }
        LockSupport.parkNanos(20_000);
      }
    }
  }

  /** Sends one message. */
  private interface Sender {
    void send(byte[] message);
  }

  private static double measure(long nanos, Arrivals arrivals, int copies, Sender sender) {
    byte[] message = new byte[BYTES];
    long start = System.nanoTime();
    long sent = 0;
    while (System.nanoTime() - start < nanos) {
      for (int i = 0; i < CLOCK_EVERY; i++) {
        sender.send(message);
      }
      sent += CLOCK_EVERY;
    }
    arrivals.await(sent * copies);
    return sent * 1e9 / (System.nanoTime() - start);
  }

  private static Messaging messaging() throws MessagingException {
    return Messaging.builder(EmbeddedEngine.inMemory())
        .sendTimeout(Duration.ofSeconds(30))
        .start();
  }

  /** Fails at once if a send has failed; an answer that is still to come is counted at the end. */
  private static void check(CompletableFuture<Void> sent) {
    if (sent.isCompletedExceptionally()) {
      sent.join();
    }
  }

  /** Push-pull by the whole API, with acknowledgement, count and a bounded queue. */
  private static final class Jobs implements Target {
    @Override
    public double run(int receivers, long nanos) throws Exception {
      Arrivals arrivals = new Arrivals(receivers);
      try (Messaging messaging = messaging()) {
        for (int i = 0; i < receivers; i++) {
          AtomicLong cell = arrivals.cell(i);
          messaging.worker(JOBS).prefetch(PREFETCH).start(job -> Arrivals.count(cell));
        }
        double rate = measure(nanos, arrivals, 1, bytes -> check(messaging.push(JOBS, bytes)));
        if (messaging.counters().failed() > 0) {
          throw new IllegalStateException("pushes failed: " + messaging.counters());
        }
        return rate;
      }
    }
  }

  /** Publish-subscribe by the whole API. */
  private static final class News implements Target {
    @Override
    public double run(int receivers, long nanos) throws Exception {
      Arrivals arrivals = new Arrivals(receivers);
      try (Messaging messaging = messaging()) {
        for (int i = 0; i < receivers; i++) {
          AtomicLong cell = arrivals.cell(i);
          messaging
              .subscriber(NEWS)
              .buffer(BOUND)
              .overflow(Overflow.BLOCK)
              .start(news -> Arrivals.count(cell));
        }
        return measure(nanos, arrivals, receivers, bytes -> check(messaging.publish(NEWS, bytes)));
      }
    }
  }

  /** JeroMQ: PUSH and PULL, or PUB and SUB with a publisher that waits instead of dropping. */
  private static final class Sockets implements Target {
    private final boolean push;

    Sockets(boolean push) {
      this.push = push;
    }

    @Override
    public double run(int receivers, long nanos) throws Exception {
      Arrivals arrivals = new Arrivals(receivers);
      ZMQ.Context context = ZMQ.context(1);
      try (ZMQ.Socket sender = context.socket(push ? SocketType.PUSH : SocketType.XPUB)) {
        sender.setHWM(BOUND / 2); // with that of the receiver as much as our bound
        if (!push) {
          sender.setXpubNoDrop(true);
          sender.setXpubVerbose(true); // tells of each subscription, also to what others have
        }
        sender.bind("inproc://comparison");
        CountDownLatch connected = new CountDownLatch(receivers);
        for (int i = 0; i < receivers; i++) {
          AtomicLong cell = arrivals.cell(i);
          new Thread(() -> receive(context, cell, connected)).start();
        }
        connected.await();
        for (int i = 0; !push && i < receivers; i++) {
          sender.recv(); // a subscription
        }
        return measure(nanos, arrivals, push ? 1 : receivers, sender::send);
      } finally {
        context.term(); // ends the receivers, and waits for them
      }
    }

    private void receive(ZMQ.Context context, AtomicLong cell, CountDownLatch connected) {
      try (ZMQ.Socket socket = context.socket(push ? SocketType.PULL : SocketType.SUB)) {
        socket.setHWM(BOUND / 2);
        socket.connect("inproc://comparison");
        if (!push) {
          socket.subscribe(ZMQ.SUBSCRIPTION_ALL);
        }
        connected.countDown();
        while (socket.recv() != null) {
          Arrivals.count(cell);
        }
      } catch (ZMQException e) {
        if (e.getErrorCode() != ZMQ.Error.ETERM.getCode()) {
          throw e;
        }
      }
    }
  }

  /** Tells how long sends take while the only receiver is stuck in its handler. */
  private static void timeSends(int rounds) throws Exception {
    List<List<Double>> micros = List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
    for (int round = -WARM_UP; round < rounds; round++) {
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
