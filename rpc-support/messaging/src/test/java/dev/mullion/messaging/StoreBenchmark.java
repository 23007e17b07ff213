package dev.mullion.messaging;

import static dev.mullion.messaging.StoreJobs.queue;

import dev.mullion.messaging.Store.Contents;
import dev.mullion.messaging.Store.Job;
import dev.mullion.messaging.Store.Step;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Measures a store: jobs put and removed, each step awaited, against a file to which the same bytes
 * are appended with fdatasync by one thread for all that wait; and the opening and draining of
 * 500,000 jobs of 1 KiB in a heap of 512 MB. Arguments: a directory on the disk to measure, and the
 * number of rounds.
 */
final class StoreBenchmark {
  private static final int ROUND_SECONDS = 2;
  private static final int JOBS = 500_000;
  private static final int KIB = 1024;

  private StoreBenchmark() {}

  /** Runs all, or one of the steps for which it starts processes of their own. */
  public static void main(String[] args) throws Exception {
    Path directory = Path.of(args[0]);
    switch (args.length > 2 ? args[2] : "all") {
      case "fill" -> fill(directory);
      case "open" -> open(directory);
      case "drain" -> drain(directory);
      default -> all(directory, args.length > 1 ? Integer.parseInt(args[1]) : 5);
    }
  }

  private static void all(Path directory, int rounds) throws Exception {
    Files.createDirectories(directory);
    for (int bytes : new int[] {100, KIB}) {
      for (int producers : new int[] {1, 64}) {
        compare(directory, rounds, bytes, producers);
      }
    }
    Path jobs = directory.resolve("jobs-" + System.nanoTime());
    for (String step : List.of("fill", "open", "open", "drain")) {
      child(jobs, step);
    }
  }

  private static void child(Path directory, String step) throws Exception {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    String classes = System.getProperty("java.class.path");
    String name = StoreBenchmark.class.getName();
    new ProcessBuilder(java, "-Xmx512m", "-cp", classes, name, directory.toString(), "1", step)
        .inheritIO()
        .start()
        .waitFor();
  }

  /** Something that puts and removes jobs durably. */
  private interface Target extends AutoCloseable {
    CompletionStage<Void> put(long number, byte[] payload);

    CompletionStage<Void> remove(long number);

    @Override
    void close();
  }

  private static void compare(Path directory, int rounds, int bytes, int producers)
      throws Exception {
    double[] raws = new double[rounds];
    double[] stores = new double[rounds];
    double[] ratios = new double[rounds];
    for (int round = -1; round < rounds; round++) { // the first one warms up
      Path place = directory.resolve("rates-" + System.nanoTime());
      Files.createDirectory(place);
      double raw = rate(new RawFile(place.resolve("raw")), bytes, producers);
      double store = rate(new StoreTarget(place.resolve("store")), bytes, producers);
      if (round >= 0) {
        raws[round] = raw;
        stores[round] = store;
        ratios[round] = store / raw;
      }
    }
    System.out.printf(
        "%4d bytes, %2d producers: raw %,8.0f jobs/s, store %,8.0f jobs/s, ratio %.2f (%s)%n",
        bytes, producers, median(raws), median(stores), median(ratios), all(ratios));
  }

  private static String all(double[] values) {
    return String.join(
        " ",
        Arrays.stream(values).mapToObj(value -> String.format("%.2f", value)).toList());
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }

  private static double rate(Target target, int bytes, int producers) throws Exception {
    AtomicLong numbers = new AtomicLong();
    AtomicLong done = new AtomicLong();
    long start = System.nanoTime();
    long end = start + TimeUnit.SECONDS.toNanos(ROUND_SECONDS);
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < producers; i++) {
      Thread thread = new Thread(() -> {
        byte[] payload = new byte[bytes];
        while (System.nanoTime() < end) {
          long number = numbers.incrementAndGet();
          target.put(number, payload).toCompletableFuture().join();
          target.remove(number).toCompletableFuture().join();
          done.incrementAndGet();
        }
      });
      threads.add(thread);
      thread.start();
    }
    for (Thread thread : threads) {
      thread.join();
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    target.close();
    return done.get() / seconds;
  }

  private static final class StoreTarget implements Target {
    private final MvStore store;

    StoreTarget(Path directory) throws Exception {
      store = MvStore.open(directory, MessagingClock.system());
      store.load();
      store
          .apply(List.of(new Step.Declare(queue(0, "orders"))))
          .toCompletableFuture()
          .join();
    }

    @Override
    public CompletionStage<Void> put(long number, byte[] payload) {
      Job job = StoreJobs.job(number, payload.length);
      return store.apply(List.of(new Step.AddJob(0, job, "orders", Message.of(payload))));
    }

    @Override
    public CompletionStage<Void> remove(long number) {
      return store.apply(List.of(new Step.RemoveJob(0, number)));
    }

    @Override
    public void close() {
      store.close();
    }
  }

  /** The limit of the disk: bytes appended, and synced once for all that wait. */
  private static final class RawFile implements Target {
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Append(byte[] bytes, CompletableFuture<Void> done) {}

    private final FileChannel channel;
    private final LinkedBlockingQueue<Append> waiting = new LinkedBlockingQueue<>();
    private final Thread thread = new Thread(this::run);

    RawFile(Path path) throws IOException {
      channel = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
      thread.start();
    }

    private void run() {
      try (channel) {
        while (true) {
          List<Append> batch = new ArrayList<>();
          batch.add(waiting.take());
          waiting.drainTo(batch);
          int length = batch.stream().mapToInt(append -> append.bytes.length).sum();
          ByteBuffer all = ByteBuffer.allocate(length);
          batch.forEach(append -> all.put(append.bytes));
          all.flip();
          while (all.hasRemaining()) {
            channel.write(all);
          }
          channel.force(false);
          batch.forEach(append -> append.done.complete(null));
          if (length == 0) {
            return;
          }
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } catch (InterruptedException e) {
        throw new IllegalStateException("nobody interrupts it", e);
      }
    }

    private CompletionStage<Void> append(byte[] bytes) {
      Append append = new Append(bytes, new CompletableFuture<>());
      waiting.add(append);
      return append.done;
    }

    @Override
    public CompletionStage<Void> put(long number, byte[] payload) {
      return append(StoreCodec.encode("orders", Message.of(payload)));
    }

    @Override
    public CompletionStage<Void> remove(long number) {
      return append(ByteBuffer.allocate(Long.BYTES).putLong(0, number).array());
    }

    @Override
    public void close() {
      append(new byte[0]).toCompletableFuture().join();
    }
  }

  /** Fills a store, and dies without closing it. */
  private static void fill(Path directory) throws Exception {
    StoreTarget target = new StoreTarget(directory);
    byte[] payload = new byte[KIB];
    long start = System.nanoTime();
    CompletableFuture<Void> last = CompletableFuture.completedFuture(null);
    for (int i = 0; i < JOBS; i++) {
      last = target.put(i, payload).toCompletableFuture();
      if (i % 1000 == 0) {
        last.join();
      }
    }
    last.join();
    System.out.printf("filled with %,d jobs in %,d ms, ", JOBS, millis(start));
    System.out.printf("file %,d MB; killed%n", Files.size(directory.resolve("store.mv")) >> 20);
    Runtime.getRuntime().halt(0);
  }

  private static void open(Path directory) throws Exception {
    long before = processorMillis();
    long start = System.nanoTime();
    MvStore store = MvStore.open(directory, MessagingClock.system());
    long opened = millis(start);
    List<Contents> contents = store.load();
    System.out.printf(
        "opened in %,d ms, with %,d jobs loaded in %,d ms (%,d ms on the processor), ",
        opened, contents.get(0).jobs().size(), millis(start), processorMillis() - before);
    System.out.printf("%,d MB of heap used%n", usedMegabytes());
    store.close();
  }

  private static long processorMillis() {
    return ProcessHandle.current().info().totalCpuDuration().orElseThrow().toMillis();
  }

  private static long usedMegabytes() {
    System.gc();
    Runtime runtime = Runtime.getRuntime();
    return (runtime.totalMemory() - runtime.freeMemory()) >> 20;
  }

  private static void drain(Path directory) throws Exception {
    MvStore store = MvStore.open(directory, MessagingClock.system());
    List<Job> jobs = store.load().get(0).jobs();
    long start = System.nanoTime();
    CompletableFuture<Void> last = CompletableFuture.completedFuture(null);
    for (Job job : jobs) {
      store.readJob(0, job.number());
      last = store.apply(List.of(new Step.RemoveJob(0, job.number()))).toCompletableFuture();
      if (job.number() % 64 == 0) {
        last.join();
      }
    }
    last.join();
    System.out.printf("drained in %,d ms, ", millis(start));
    Path file = directory.resolve("store.mv");
    System.out.printf("file %,d kB, ", Files.size(file) >> 10);
    TimeUnit.SECONDS.sleep(2);
    System.out.printf("%,d kB after 2 s, ", Files.size(file) >> 10);
    store.close();
    System.out.printf("%,d kB when closed%n", Files.size(file) >> 10);
  }

  private static long millis(long start) {
    return (System.nanoTime() - start) / 1_000_000;
  }
}
