package dev.mullion.messaging;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.zeromq.SocketType;
import org.zeromq.ZMQ;
import org.zeromq.ZMQException;

/**
 * One side of a {@link MessagingComparison}, in a JVM of its own: it runs a round for each line of
 * its input, and answers with the messages a second.
 */
final class ComparedSide implements AutoCloseable {
  private static final int BYTES = 100;
  private static final int BOUND = 10_000;
  private static final int PREFETCH = 256;
  private static final int CLOCK_EVERY = 64; // messages
  private static final int PADDING = 16; // longs: each receiver counts in a cache line of its own

  private static final WorkQueue<byte[]> JOBS = WorkQueue.builder("jobs", Codecs.bytes())
      .capacity(BOUND)
      .overflow(Overflow.BLOCK)
      .build();
  private static final Topic<byte[]> NEWS = Topic.of("news", Codecs.bytes());

  private final Process process;
  private final BufferedReader answers;

  /** Starts the JVM of a side. */
  ComparedSide(boolean ours) throws IOException {
    process = new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-cp",
            System.getProperty("java.class.path"),
            ComparedSide.class.getName(),
            Boolean.toString(ours))
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
    answers =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
  }

  /** Runs one round: sends for that time, waits until all has arrived. */
  double run(String pattern, int receivers, long nanos) throws IOException {
    process
        .getOutputStream()
        .write((pattern + " " + receivers + " " + nanos + "\n").getBytes(StandardCharsets.UTF_8));
    process.getOutputStream().flush();
    String answer = answers.readLine();
    if (answer == null) {
      throw new IOException("the process of a side has ended");
    }
    return Double.parseDouble(answer);
  }

  @Override
  public void close() {
    process.destroy();
  }

  /** Runs the rounds that the comparison asks for, until it ends. */
  public static void main(String[] args) throws Exception {
    boolean ours = Boolean.parseBoolean(args[0]);
    BufferedReader orders =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = orders.readLine(); line != null; line = orders.readLine()) {
      String[] order = line.split(" ", 3);
      boolean push = order[0].equals("push-pull");
      Rounds rounds = !ours ? new Sockets(push) : push ? new Jobs() : new News();
      System.out.println(rounds.run(Integer.parseInt(order[1]), Long.parseLong(order[2])));
    }
  }

  /** Something that is measured: one sender on the calling thread. */
  private interface Rounds {
    /** Sends for that time, waits until all has arrived, and returns the messages a second. */
    double run(int receivers, long nanos) throws Exception;
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

  /** Fails at once if a send has failed; an answer that is still to come is counted at the end. */
  private static void check(CompletableFuture<Void> sent) {
    if (sent.isCompletedExceptionally()) {
      sent.join();
    }
  }

  /** Push-pull by the whole API, with acknowledgement, count and a bounded queue. */
  private static final class Jobs implements Rounds {
    @Override
    public double run(int receivers, long nanos) throws Exception {
      Arrivals arrivals = new Arrivals(receivers);
      try (Messaging messaging = MessagingComparison.messaging()) {
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
  private static final class News implements Rounds {
    @Override
    public double run(int receivers, long nanos) throws Exception {
      Arrivals arrivals = new Arrivals(receivers);
      try (Messaging messaging = MessagingComparison.messaging()) {
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
  private static final class Sockets implements Rounds {
    private static final int LOOK_MILLIS = 20;

    private final boolean push;
    private final AtomicBoolean over = new AtomicBoolean();

    Sockets(boolean push) {
      this.push = push;
    }

    @Override
    public double run(int receivers, long nanos) throws Exception {
      Arrivals arrivals = new Arrivals(receivers);
      List<Thread> threads = new ArrayList<>();
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
          Thread thread = new Thread(() -> receive(context, cell, connected));
          threads.add(thread);
          thread.start();
        }
        connected.await();
        for (int i = 0; !push && i < receivers; i++) {
          sender.recv(); // a subscription
        }
        double rate = measure(nanos, arrivals, push ? 1 : receivers, sender::send);
        over.set(true);
        for (Thread each : threads) {
          each.join(); // a receiver that outlives the sender may fail, and then the context hangs
        }
        return rate;
      } finally {
        context.term();
      }
    }

    private void receive(ZMQ.Context context, AtomicLong cell, CountDownLatch connected) {
      try (ZMQ.Socket socket = context.socket(push ? SocketType.PULL : SocketType.SUB)) {
        socket.setHWM(BOUND / 2);
        socket.setReceiveTimeOut(LOOK_MILLIS);
        socket.connect("inproc://comparison");
        if (!push) {
          socket.subscribe(ZMQ.SUBSCRIPTION_ALL);
        }
        connected.countDown();
        boolean received = true;
        while (received || !over.get()) {
          received = socket.recv() != null;
          if (received) {
            Arrivals.count(cell);
          }
        }
      } catch (ZMQException e) {
        if (e.getErrorCode() != ZMQ.Error.ETERM.getCode()) {
          throw e;
        }
      }
    }
  }
}
