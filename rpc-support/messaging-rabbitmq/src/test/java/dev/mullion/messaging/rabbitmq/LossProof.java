package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.WorkQueue;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.IntSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Pushes jobs to a broker of its own, with workers in other processes, while workers and broker are
 * killed at random moments and started again. Then every push that was acknowledged has to be
 * handled, or be a dead letter whose count has reached the limit. {@code mvn verify} does not run
 * it; its properties are {@code loss.jobs}, {@code loss.kills}, {@code loss.workers} and {@code
 * loss.seed}.
 */
class LossProof {
  private static final int JOBS = Integer.getInteger("loss.jobs", 100_000);
  private static final int KILLS = Integer.getInteger("loss.kills", 6);
  private static final int WORKERS = Integer.getInteger("loss.workers", 3);
  private static final long SEED = Long.getLong("loss.seed", System.nanoTime());
  private static final int FAILING_EVERY = 1_000;
  private static final int ALWAYS_FAILING = 300;
  private static final Duration STANDSTILL = Duration.ofMinutes(2);

  private final Random random = new Random(SEED);
  private final Map<String, AtomicInteger> handled = new ConcurrentHashMap<>();
  private final Map<String, AtomicInteger> failed = new ConcurrentHashMap<>();
  private final Set<String> acknowledged = ConcurrentHashMap.newKeySet();
  private final LongAdder unanswered = new LongAdder();
  private final LongAdder refused = new LongAdder();
  private final List<Worker> workers = new ArrayList<>();
  private volatile boolean pushing = true;

  @AfterEach
  void killAll() throws Exception {
    for (Worker worker : workers) {
      worker.kill();
    }
  }

  @Test
  void everyAcknowledgedPushIsHandledAtLeastOnce() throws Exception {
    long begin = System.nanoTime();
    try (Broker broker = Broker.start()) {
      startWorkers(broker);
      try (Messaging messaging = Messaging.on(LossWorker.engine(broker.port()))) {
        messaging.declare(LossWorker.JOBS);
        Thread pusher = new Thread(() -> pushAll(messaging), "pusher");
        pusher.setDaemon(true);
        pusher.start();
        try {
          for (int kill = 1; kill <= KILLS; kill++) {
            awaitPushed((long) JOBS * kill / (KILLS + 1));
            killSome(kill, broker);
          }
          awaitPushed(JOBS);
        } finally {
          pushing = false;
        }
        pusher.join(TimeUnit.SECONDS.toMillis(60));
        assertThat(pusher.isAlive()).isFalse();
        awaitProgress(
            "the end of the jobs",
            () -> open(messaging).isEmpty(),
            () -> handled.size() + failed.size());
        for (Worker worker : workers) {
          worker.kill(); // its last lines are read then
        }
        report(letters(messaging, LossWorker.JOBS), System.nanoTime() - begin);
      }
    }
  }

  /** Returns what is neither handled nor dead. */
  private Set<String> open(Messaging messaging) {
    Set<String> open = new HashSet<>(acknowledged);
    open.removeAll(handled.keySet());
    if (open.size() < 2 * JOBS / FAILING_EVERY + 100) {
      letters(messaging, LossWorker.JOBS).forEach(letter -> open.remove(text(letter)));
    }
    return open;
  }

  @Test
  void whatAlwaysFailsIsCalledExactlyAsOftenAsAllowed() throws Exception {
    try (Broker broker = Broker.start()) {
      startWorkers(broker);
      try (Messaging messaging = Messaging.on(LossWorker.engine(broker.port()))) {
        for (WorkQueue<String> queue : LossWorker.FAILING) {
          List<CompletableFuture<Void>> pushed = new ArrayList<>();
          for (int i = 0; i < ALWAYS_FAILING; i++) {
            pushed.add(messaging.push(queue, "fail/" + queue.name() + "/" + i));
          }
          for (CompletableFuture<Void> each : pushed) {
            each.get(60, TimeUnit.SECONDS);
          }
        }
        for (WorkQueue<String> queue : LossWorker.FAILING) {
          awaitProgress(
              "the dead letters of " + queue.name(),
              () -> letters(messaging, queue).size() >= ALWAYS_FAILING,
              failed::size);
          assertExactly(queue, letters(messaging, queue));
        }
      }
    }
  }

  private void assertExactly(WorkQueue<String> queue, List<DeadLetter> letters) {
    int limit = queue.redelivery().maxDeliveries();
    for (int i = 0; i < ALWAYS_FAILING; i++) {
      String job = "fail/" + queue.name() + "/" + i;
      assertThat(count(failed, job)).as(job).isEqualTo(limit);
    }
    assertThat(letters).hasSize(ALWAYS_FAILING).allMatch(letter -> letter.deliveryCount() == limit);
    System.out.println(queue.name() + ": " + ALWAYS_FAILING + " jobs, exactly " + limit
        + " calls each, " + ALWAYS_FAILING + " dead letters");
  }

  private void startWorkers(Broker broker) throws Exception {
    for (int i = 0; i < WORKERS; i++) {
      workers.add(new Worker(broker));
    }
    for (Worker worker : workers) {
      worker.awaitReady();
    }
  }

  private void pushAll(Messaging messaging) {
    for (int i = 0; pushing; i++) {
      String job = i % FAILING_EVERY == 0 ? "fail" + i : "" + i;
      messaging.push(LossWorker.JOBS, job).whenComplete((nothing, error) -> {
        if (error == null) {
          acknowledged.add(job);
        } else if (error instanceof MessagingException away && away.maybeAccepted()) {
          unanswered.increment();
        } else {
          refused.increment();
        }
      });
    }
  }

  private void awaitPushed(long count) {
    awaitProgress("pushes: " + count, () -> acknowledged.size() >= count, acknowledged::size);
  }

  /** The broker, a worker, or both in any order. */
  private void killSome(int kill, Broker broker) throws Exception {
    int worker = random.nextInt(WORKERS);
    int which = kill % 3;
    LockSupport.parkNanos(random.nextInt(50_000_000));
    if (which != 1) {
      workers.get(worker).kill();
    }
    if (which != 2) {
      broker.kill();
      broker.startNode();
    }
    if (which != 1) {
      workers.set(worker, new Worker(broker));
    }
  }

  /** Waits for a condition for as long as something still goes on. */
  private static void awaitProgress(String what, BooleanSupplier condition, IntSupplier progress) {
    long last = System.nanoTime();
    int seen = progress.getAsInt();
    while (!condition.getAsBoolean()) {
      LockSupport.parkNanos(50_000_000);
      int now = progress.getAsInt();
      if (now != seen) {
        seen = now;
        last = System.nanoTime();
      }
      assertThat(System.nanoTime() - last)
          .as(what + ", seed " + SEED + ", at " + now)
          .isLessThan(STANDSTILL.toNanos());
    }
  }

  private static List<DeadLetter> letters(Messaging messaging, WorkQueue<?> queue) {
    return messaging.deadLetters(queue).peek(1_000).toCompletableFuture().join();
  }

  private static String text(DeadLetter letter) {
    return new String(letter.original().payload(), StandardCharsets.UTF_8);
  }

  private static int count(Map<String, AtomicInteger> counts, String job) {
    AtomicInteger count = counts.get(job);
    return count == null ? 0 : count.get();
  }

  private void report(List<DeadLetter> letters, long nanos) {
    Set<String> dead = new HashSet<>();
    letters.forEach(letter -> dead.add(text(letter)));
    Set<String> lost = new HashSet<>(acknowledged);
    lost.removeAll(handled.keySet());
    lost.removeAll(dead);
    long healthy = dead.stream().filter(job -> !job.startsWith("fail")).count();
    long twice = handled.values().stream().filter(count -> count.get() > 1).count();
    int calls = handled.values().stream().mapToInt(AtomicInteger::get).sum();
    System.out.println("seed " + SEED + ": " + acknowledged.size() + " acknowledged pushes, "
        + unanswered + " without an answer, " + refused + " refused, " + KILLS + " kills in "
        + nanos / 1_000_000_000 + " s; lost " + lost.size() + ", handled " + handled.size()
        + " jobs with " + calls + " calls (" + twice + " jobs more than once), dead letters "
        + letters.size() + " of " + dead.size() + " jobs, of which " + healthy + " did not fail; "
        + "calls of jobs that fail: "
        + failed.values().stream().mapToInt(AtomicInteger::get).summaryStatistics());
    assertThat(lost).as("seed " + SEED).isEmpty();
    assertThat(healthy).as("seed " + SEED).isZero();
    assertThat(handled.keySet()).noneMatch(job -> job.startsWith("fail"));
  }

  /** A worker in a process of its own. */
  private final class Worker {
    private final Process process;
    private final Thread reader;
    private final CountDownLatch ready = new CountDownLatch(1);

    Worker(Broker broker) throws IOException {
      process = new ProcessBuilder(
              Path.of(System.getProperty("java.home"), "bin", "java").toString(),
              "-XX:TieredStopAtLevel=1",
              "-XX:+UseSerialGC",
              "-Xmx128m",
              "-cp",
              System.getProperty("java.class.path"),
              LossWorker.class.getName(),
              "" + broker.port())
          .redirectErrorStream(true)
          .start();
      reader = new Thread(this::read, "output-of-worker");
      reader.setDaemon(true);
      reader.start();
    }

    private void read() {
      try (BufferedReader in = new BufferedReader(
          new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
        for (String line = in.readLine(); line != null; line = in.readLine()) {
          take(line);
        }
      } catch (IOException e) {
        System.out.println("output ended: " + e);
      }
    }

    private void take(String line) {
      if (line.startsWith("handled ")) {
        handled.computeIfAbsent(line.substring(8), job -> new AtomicInteger()).incrementAndGet();
      } else if (line.startsWith("failed ")) {
        failed.computeIfAbsent(line.substring(7), job -> new AtomicInteger()).incrementAndGet();
      } else if (line.startsWith("ready")) {
        ready.countDown();
      } else if (!line.startsWith("SLF4J")) {
        System.out.println(line);
      }
    }

    void awaitReady() throws InterruptedException {
      assertThat(ready.await(90, TimeUnit.SECONDS)).as("a worker is ready").isTrue();
    }

    /** Kills the process, as {@code kill -9} does; its last lines are read afterwards. */
    void kill() throws InterruptedException {
      process.destroyForcibly();
      assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
      reader.join(TimeUnit.SECONDS.toMillis(20));
    }
  }
}
