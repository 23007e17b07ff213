package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.WorkQueue;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
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
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Pushes jobs to a Kafka node in a process of its own, with workers in others, while all of these
 * are killed at random moments and started again. Then every push that was acknowledged has
 * to be handled, or be a dead letter whose count has reached the limit. {@code mvn verify} does not
 * run it; its properties are {@code loss.jobs}, {@code loss.kills}, {@code loss.workers} and {@code
 * loss.seed}.
 */
class LossProof {
  private static final int JOBS = Integer.getInteger("loss.jobs", 100_000);
  private static final int KILLS = Integer.getInteger("loss.kills", 10);
  private static final int WORKERS = Integer.getInteger("loss.workers", 3);
  private static final long SEED = Long.getLong("loss.seed", System.nanoTime());
  private static final int FAILING_EVERY = 1_000;
  private static final int ALWAYS_FAILING = 300;
  private static final Duration STANDSTILL = Duration.ofSeconds(60);

  private final Random random = new Random(SEED);
  private final Map<String, AtomicInteger> handled = new ConcurrentHashMap<>();
  private final Map<String, AtomicInteger> failed = new ConcurrentHashMap<>();
  private final Set<String> acknowledged = ConcurrentHashMap.newKeySet();
  private final LongAdder unanswered = new LongAdder();
  private final LongAdder refused = new LongAdder();
  private final List<Peer> workers = new ArrayList<>();
  private @Nullable KafkaNode node;
  private String servers = "";
  private volatile boolean pushing = true;

  @AfterEach
  void killAll() throws Exception {
    for (Peer worker : workers) {
      worker.kill();
    }
    if (node != null) {
      node.close();
    }
  }

  @Test
  void everyAcknowledgedPushIsHandledAtLeastOnce() throws Exception {
    long begin = System.nanoTime();
    start();
    try (Messaging messaging = Messaging.on(LossWorker.engine(servers))) {
      messaging.declare(LossWorker.JOBS);
      Thread pusher = new Thread(() -> pushAll(messaging), "pusher");
      pusher.setDaemon(true);
      pusher.start();
      try {
        for (int kill = 1; kill <= KILLS; kill++) {
          awaitPushed((long) JOBS * kill / (KILLS + 1));
          killSome(kill);
        }
        awaitPushed(JOBS);
      } finally {
        pushing = false;
      }
      pusher.join(TimeUnit.SECONDS.toMillis(60));
      assertThat(pusher.isAlive()).isFalse();
      awaitIdle(messaging, LossWorker.JOBS);
      for (Peer worker : workers) {
        worker.kill(); // its last lines are read then
      }
      report(letters(messaging, LossWorker.JOBS), System.nanoTime() - begin);
    }
  }

  @Test
  void whatAlwaysFailsIsCalledExactlyAsOftenAsAllowed() throws Exception {
    start();
    try (Messaging messaging = Messaging.on(LossWorker.engine(servers))) {
      for (WorkQueue<String> queue : LossWorker.FAILING) {
        List<CompletableFuture<Void>> pushed = new ArrayList<>();
        for (int i = 0; i < ALWAYS_FAILING; i++) {
          pushed.add(messaging.push(queue, "fail/" + queue.name() + "/" + i));
        }
        for (CompletableFuture<Void> each : pushed) {
          each.get(20, TimeUnit.SECONDS);
        }
      }
      for (WorkQueue<String> queue : LossWorker.FAILING) {
        awaitIdle(messaging, queue);
      }
      for (Peer worker : workers) {
        worker.kill();
      }
      for (WorkQueue<String> queue : LossWorker.FAILING) {
        int limit = queue.redelivery().maxDeliveries();
        for (int i = 0; i < ALWAYS_FAILING; i++) {
          String job = "fail/" + queue.name() + "/" + i;
          assertThat(count(failed, job)).as(job).isEqualTo(limit);
        }
        assertThat(letters(messaging, queue))
            .hasSize(ALWAYS_FAILING)
            .allMatch(letter -> letter.deliveryCount() == limit);
        System.out.println(queue.name() + ": " + ALWAYS_FAILING + " jobs, exactly " + limit
            + " calls each, " + ALWAYS_FAILING + " dead letters");
      }
    }
  }

  private void start() throws Exception {
    node = KafkaNode.start(Map.of());
    servers = node.servers();
    try (Messaging messaging = Messaging.on(LossWorker.engine(servers))) { // all workers at once
      messaging.declare(LossWorker.JOBS);
      for (WorkQueue<String> queue : LossWorker.FAILING) {
        messaging.declare(queue);
      }
    }
    for (int i = 0; i < WORKERS; i++) {
      workers.add(new Peer("ready", LossWorker.class, servers));
    }
    for (Peer worker : workers) {
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

  /** The server, a worker, or both in any order. */
  private void killSome(int kill) throws Exception {
    int worker = random.nextInt(WORKERS);
    int which = kill % 3;
    LockSupport.parkNanos(random.nextInt(20_000_000)); // anywhere between two batches
    if (which != 1) {
      workers.get(worker).kill();
    }
    if (which != 2) {
      KafkaNode killed = Objects.requireNonNull(node);
      killed.kill();
      killed.start();
    }
    if (which != 1) {
      workers.set(worker, new Peer("ready", LossWorker.class, servers));
    }
  }

  /** Waits until the queue has no message left, except dead letters. */
  private void awaitIdle(Messaging messaging, WorkQueue<?> queue) {
    awaitProgress(
        "the end of " + queue.name(),
        () -> {
          QueueStatus status = status(messaging, queue);
          return status.waiting() + status.delayed() + status.inFlight() == 0;
        },
        () -> handled.size() + failed.size());
  }

  private static QueueStatus status(Messaging messaging, WorkQueue<?> queue) {
    List<QueueStatus> all = messaging.queues().toCompletableFuture().join();
    return all.stream()
        .filter(each -> each.name().equals(queue.name()))
        .findFirst()
        .orElseThrow();
  }

  /** Waits for a condition for as long as something still goes on. */
  private static void awaitProgress(String what, BooleanSupplier condition, IntSupplier progress) {
    long last = System.nanoTime();
    int seen = progress.getAsInt();
    while (!condition.getAsBoolean()) {
      LockSupport.parkNanos(2_000_000);
      int now = progress.getAsInt();
      if (now != seen) {
        seen = now;
        last = System.nanoTime();
      }
      assertThat(System.nanoTime() - last)
          .as(what + ", seed " + SEED)
          .isLessThan(STANDSTILL.toNanos());
    }
  }

  private static List<DeadLetter> letters(Messaging messaging, WorkQueue<?> queue) {
    return messaging.deadLetters(queue).peek(1_000).toCompletableFuture().join();
  }

  private static int count(Map<String, AtomicInteger> counts, String job) {
    AtomicInteger count = counts.get(job);
    return count == null ? 0 : count.get();
  }

  private void report(List<DeadLetter> letters, long nanos) {
    Set<String> dead = new HashSet<>();
    int[] byLoss = {0};
    for (DeadLetter letter : letters) {
      String job = new String(letter.original().payload(), StandardCharsets.UTF_8);
      assertThat(letter.reason()).isEqualTo(DeadLetter.Reason.DELIVERY_LIMIT);
      assertThat(letter.deliveryCount()).as(job).isEqualTo(LossWorker.MAX_DELIVERIES);
      assertThat(dead.add(job)).as("a second dead letter of " + job).isTrue();
      byLoss[0] += job.startsWith("fail") ? 0 : 1;
    }
    Set<String> lost = new HashSet<>(acknowledged);
    lost.removeAll(handled.keySet());
    lost.removeAll(dead);
    long twice = handled.values().stream().filter(count -> count.get() > 1).count();
    int calls = handled.values().stream().mapToInt(AtomicInteger::get).sum();
    System.out.println("seed " + SEED + ": " + acknowledged.size() + " acknowledged pushes, "
        + unanswered + " without an answer, " + refused + " refused, " + KILLS + " kills in "
        + nanos / 1_000_000_000 + " s; lost " + lost.size() + ", handled " + handled.size()
        + " jobs with " + calls + " calls (" + twice + " jobs more than once), dead letters "
        + dead.size() + ", of which " + byLoss[0] + " did not fail but were lost with workers; "
        + "calls of jobs that fail: " + failures());
    assertThat(lost).as("seed " + SEED).isEmpty();
    assertThat(handled.keySet()).noneMatch(job -> job.startsWith("fail"));
    assertThat(failed.keySet()).isSubsetOf(dead);
  }

  private String failures() {
    int[] calls = failed.values().stream().mapToInt(AtomicInteger::get).toArray();
    return calls.length == 0 ? "none" : Arrays.stream(calls).summaryStatistics().toString();
  }

  /** A server or worker in a process of its own. */
  private final class Peer {
    private final Process process;
    private final Thread reader;
    private final String readyLine;
    private final CountDownLatch ready = new CountDownLatch(1);
    private volatile String lastLine = "";

    Peer(String readyLine, Class<?> main, String... args) throws IOException {
      this.readyLine = readyLine;
      process = JavaProcess.start(main, args);
      reader = new Thread(this::read, "output-of-" + main.getSimpleName());
      reader.setDaemon(true);
      reader.start();
    }

    private void read() {
      try (BufferedReader in = JavaProcess.output(process)) {
        for (String line = in.readLine(); line != null; line = in.readLine()) {
          take(line);
        }
      } catch (IOException e) {
        lastLine = "output ended: " + e;
      }
    }

    private void take(String line) {
      lastLine = line;
      if (line.startsWith("handled ")) {
        handled.computeIfAbsent(line.substring(8), job -> new AtomicInteger()).incrementAndGet();
      } else if (line.startsWith("failed ")) {
        failed.computeIfAbsent(line.substring(7), job -> new AtomicInteger()).incrementAndGet();
      } else if (line.startsWith(readyLine)) {
        ready.countDown();
      } else {
        System.out.println(line);
      }
    }

    void awaitReady() throws InterruptedException {
      assertThat(ready.await(60, TimeUnit.SECONDS))
          .as("ready; last: " + lastLine)
          .isTrue();
    }

    /** Kills the process, as {@code kill -9} does; its last lines are read afterwards. */
    void kill() throws InterruptedException {
      process.destroyForcibly();
      assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
      reader.join(TimeUnit.SECONDS.toMillis(20));
    }
  }
}
