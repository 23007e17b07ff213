package dev.mullion.messaging.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.WorkQueue;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/**
 * Pushes jobs to an engine whose queues are in a process of their own, with workers in others,
 * while all of these are killed at random moments and started again. Then every push that was
 * acknowledged has to be handled, or be a dead letter whose count has reached the limit. {@code mvn
 * verify} does not run it; its properties are {@code loss.jobs}, {@code loss.kills}, {@code
 * loss.workers} and {@code loss.seed}.
 */
@Execution(ExecutionMode.SAME_THREAD)
public abstract class LossSuite {
  /** The queue that is pushed to while processes are killed. */
  protected static final WorkQueue<String> QUEUE = LossWorker.JOBS;

  /** How many jobs that always fail the other queues get. */
  protected static final int ALWAYS_FAILING = 300;

  private static final int JOBS = Integer.getInteger("loss.jobs", 100_000);
  private static final int WORKERS = Integer.getInteger("loss.workers", 3);
  private static final long SEED = Long.getLong("loss.seed", System.nanoTime());
  private static final int FAILING_EVERY = 1_000;
  private static final int MOST_OPEN = 10_000;

  private final Class<? extends LossEngine> engine;
  private final int kills;
  private final Duration patience;
  private final Random random = new Random(SEED);
  private final Map<String, AtomicInteger> handled = new ConcurrentHashMap<>();
  private final FailedCalls failed = new FailedCalls();
  private final Set<String> acknowledged = ConcurrentHashMap.newKeySet();
  private final LongAdder unanswered = new LongAdder();
  private final Map<String, String> refused = new ConcurrentHashMap<>(); // with the reason
  private final List<WorkerProcess> workers = new ArrayList<>();
  private String address = "";
  private volatile boolean pushing = true;
  private volatile @Nullable OrderedJobs ordered;

  /**
   * Creates the proof for an engine.
   *
   * @param kills how many kills there are, unless {@code loss.kills} says so
   * @param patience how long nothing may happen before the proof has failed
   */
  protected LossSuite(Class<? extends LossEngine> engine, int kills, Duration patience) {
    this.engine = engine;
    this.kills = Integer.getInteger("loss.kills", kills);
    this.patience = patience;
  }

  /** Starts the process with the queues, and returns the engine's address. */
  protected abstract String startServer() throws Exception;

  /** Kills that process, as {@code kill -9} does, and starts it again at its address. */
  protected abstract void restartServer() throws Exception;

  /** Ends that process, if it was started. */
  protected abstract void endServer() throws Exception;

  /** Returns whether a queue has nothing left to be handled. */
  protected boolean isOver(Messaging messaging, WorkQueue<String> queue) {
    QueueStatus status = status(messaging, queue);
    return status.waiting() + status.delayed() + status.inFlight() == 0;
  }

  /** Checks the dead letters of {@link #QUEUE}. */
  protected void check(List<DeadLetter> letters) {
    Set<String> dead = new HashSet<>();
    for (DeadLetter letter : letters) {
      String job = text(letter);
      assertThat(letter.reason()).isEqualTo(DeadLetter.Reason.DELIVERY_LIMIT);
      assertThat(letter.deliveryCount()).as(job).isEqualTo(LossWorker.MAX_DELIVERIES);
      assertThat(dead.add(job)).as("a second dead letter of " + job).isTrue();
    }
    assertThat(failed.jobs()).isSubsetOf(dead);
  }

  @AfterEach
  void killAll() throws Exception {
    for (WorkerProcess worker : workers) {
      worker.kill();
    }
    endServer();
  }

  @Test
  void everyAcknowledgedPushIsHandledAtLeastOnce() throws Exception {
    long begin = System.nanoTime();
    start();
    try (LossEngine own = LossEngine.of(engine, address);
        Messaging messaging = Messaging.on(own.engine());
        Messaging another = Messaging.on(own.engine())) { // whose pushes wait for no others
      OrderedJobs inOrder = new OrderedJobs(another);
      ordered = inOrder;
      Thread pusher = start("pusher", () -> pushAll(messaging));
      Thread orderedPusher = start("ordered-pusher", () -> inOrder.pushWhile(() -> pushing));
      try {
        for (int kill = 1; kill <= kills; kill++) {
          awaitPushed((long) JOBS * kill / (kills + 1));
          killSome(kill);
        }
        awaitPushed(JOBS);
      } finally {
        pushing = false;
      }
      for (Thread each : List.of(pusher, orderedPusher)) {
        each.join(TimeUnit.SECONDS.toMillis(60));
        assertThat(each.isAlive()).isFalse();
      }
      awaitEnd(messaging, QUEUE);
      awaitEnd(messaging, inOrder);
      for (WorkerProcess worker : workers) {
        worker.kill(); // its last lines are read then
      }
      report(letters(messaging, QUEUE), System.nanoTime() - begin);
      inOrder.check(LossWorker.MAX_DELIVERIES);
      assertThat(letters(messaging, LossWorker.ORDERED))
          .allMatch(letter -> OrderedJobs.fails(text(letter)))
          .allMatch(letter -> letter.deliveryCount() == LossWorker.MAX_DELIVERIES);
    }
  }

  private static Thread start(String name, Runnable task) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  @Test
  void whatAlwaysFailsIsCalledExactlyAsOftenAsAllowed() throws Exception {
    start();
    try (LossEngine own = LossEngine.of(engine, address);
        Messaging messaging = Messaging.on(own.engine())) {
      for (WorkQueue<String> queue : LossWorker.FAILING) {
        List<CompletableFuture<Void>> pushed = new ArrayList<>();
        for (int i = 0; i < ALWAYS_FAILING; i++) {
          pushed.add(messaging.push(queue, "fail/" + queue.name() + "/" + i));
        }
        for (CompletableFuture<Void> each : pushed) {
          each.get(patience.toSeconds() / 3, TimeUnit.SECONDS);
        }
      }
      for (WorkQueue<String> queue : LossWorker.FAILING) {
        awaitEnd(messaging, queue);
      }
      for (WorkerProcess worker : workers) {
        worker.kill();
      }
      for (WorkQueue<String> queue : LossWorker.FAILING) {
        int limit = queue.redelivery().maxDeliveries();
        for (int i = 0; i < ALWAYS_FAILING; i++) {
          String job = "fail/" + queue.name() + "/" + i;
          failed.checkExact(job, limit);
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
    address = startServer();
    try (LossEngine own = LossEngine.of(engine, address);
        Messaging messaging = Messaging.on(own.engine())) { // all workers at once would declare
      messaging.declare(QUEUE);
      messaging.declare(LossWorker.ORDERED);
      for (WorkQueue<String> queue : LossWorker.FAILING) {
        messaging.declare(queue);
      }
    }
    for (int i = 0; i < WORKERS; i++) {
      workers.add(newWorker());
    }
    for (WorkerProcess worker : workers) {
      worker.awaitReady(patience.multipliedBy(3).dividedBy(4));
    }
  }

  private WorkerProcess newWorker() throws IOException {
    return new WorkerProcess(
        JavaProcess.start(LossWorker.class, engine.getName(), address), this::take);
  }

  private void take(String line) {
    OrderedJobs orderedNow = ordered;
    if (line.startsWith("handled ")) {
      handled.computeIfAbsent(line.substring(8), job -> new AtomicInteger()).incrementAndGet();
    } else if (line.startsWith("failed ")) {
      failed.take(line.substring(7));
    } else if (line.startsWith("ordered ") && orderedNow != null) {
      orderedNow.take(line.substring(8));
    } else if (!line.startsWith("SLF4J")) {
      System.out.println(line);
    }
  }

  /** Pushes, at most some ahead of what is called: a backlog would prove nothing more. */
  private void pushAll(Messaging messaging) {
    for (int i = 0; pushing; i++) {
      while (pushing && acknowledged.size() - called() > MOST_OPEN) {
        LockSupport.parkNanos(1_000_000);
      }
      String job = i % FAILING_EVERY == 0 ? "fail" + i : "" + i;
      messaging.push(QUEUE, job).whenComplete((nothing, error) -> {
        if (error == null) {
          acknowledged.add(job);
        } else if (error instanceof MessagingException away && away.maybeAccepted()) {
          unanswered.increment();
        } else {
          refused.put(job, error.toString());
        }
      });
    }
  }

  private void awaitPushed(long count) {
    awaitProgress(() -> "pushes: " + count, () -> acknowledged.size() >= count, acknowledged::size);
  }

  /** Waits until this many more pushes are acknowledged. */
  protected final void awaitMorePushes(int count) {
    awaitPushed((long) acknowledged.size() + count);
  }

  /** Waits until this many more jobs are called. */
  protected final void awaitMoreCalls(int count) {
    int end = called() + count;
    awaitProgress(() -> "calls: " + end, () -> called() >= end, this::called);
  }

  private int called() {
    return handled.size() + failed.jobs().size();
  }

  /** The server, a worker, or both in any order. */
  private void killSome(int kill) throws Exception {
    int worker = random.nextInt(WORKERS);
    int which = kill % 3;
    LockSupport.parkNanos(random.nextInt(50_000_000)); // anywhere between two batches
    if (which != 1) {
      workers.get(worker).kill();
    }
    if (which != 2) {
      restartServer();
    }
    if (which != 1) {
      workers.set(worker, newWorker());
    }
  }

  private void awaitEnd(Messaging messaging, WorkQueue<String> queue) {
    awaitProgress(
        () -> "the end of " + queue.name() + ", open: " + some(open()) + ", "
            + status(messaging, queue),
        () -> isKnownToBeOver(messaging, queue),
        this::called);
  }

  private void awaitEnd(Messaging messaging, OrderedJobs jobs) {
    awaitProgress(
        () -> "the end of the ordered jobs",
        () ->
            jobs.areAllCalled() && letters(messaging, LossWorker.ORDERED).size() >= jobs.failing(),
        jobs::calls);
  }

  /** Asks; a broker that has just been started may take too long to answer. */
  private boolean isKnownToBeOver(Messaging messaging, WorkQueue<String> queue) {
    try {
      return isOver(messaging, queue);
    } catch (CompletionException e) {
      if (e.getCause() instanceof BrokerAwayException) {
        return false;
      }
      throw e;
    }
  }

  private static QueueStatus status(Messaging messaging, WorkQueue<?> queue) {
    List<QueueStatus> all = messaging.queues().toCompletableFuture().join();
    return all.stream()
        .filter(each -> each.name().equals(queue.name()))
        .findFirst()
        .orElseThrow();
  }

  /** Waits for a condition for as long as something still goes on. */
  private void awaitProgress(
      Supplier<String> what, BooleanSupplier condition, IntSupplier progress) {
    long last = System.nanoTime();
    int seen = progress.getAsInt();
    while (!condition.getAsBoolean()) {
      LockSupport.parkNanos(20_000_000);
      int now = progress.getAsInt();
      if (now != seen) {
        seen = now;
        last = System.nanoTime();
      }
      assertThat(System.nanoTime() - last)
          .as(() -> what.get() + ", seed " + SEED + ", at " + now)
          .isLessThan(patience.toNanos());
    }
  }

  /** Returns all dead letters of a queue. */
  protected static List<DeadLetter> letters(Messaging messaging, WorkQueue<?> queue) {
    int all = queue.maxDeadLetters(); // with fewer, a long proof would never see its end
    return messaging.deadLetters(queue).peek(all).toCompletableFuture().join();
  }

  /** Returns the job of a dead letter. */
  protected static String text(DeadLetter letter) {
    return new String(letter.original().payload(), StandardCharsets.UTF_8);
  }

  /** Returns the jobs whose push was acknowledged and which were not handled. */
  protected final Set<String> open() {
    Set<String> open = new HashSet<>(acknowledged);
    open.removeAll(handled.keySet());
    return open;
  }

  private static String some(Set<String> jobs) {
    return jobs.size() + " as " + jobs.stream().limit(5).toList();
  }

  /** Returns how many calls of a job have failed. */
  protected final int failures(String job) {
    return failed.of(job);
  }

  /** Returns the limit of {@link #QUEUE}. */
  protected static int maxDeliveries() {
    return LossWorker.MAX_DELIVERIES;
  }

  private void report(List<DeadLetter> letters, long nanos) {
    Set<String> dead = letters.stream().map(LossSuite::text).collect(Collectors.toSet());
    Set<String> lost = open();
    lost.removeAll(dead);
    long healthy = dead.stream().filter(job -> !job.startsWith("fail")).count();
    long twice = handled.values().stream().filter(count -> count.get() > 1).count();
    int calls = handled.values().stream().mapToInt(AtomicInteger::get).sum();
    System.out.println("seed " + SEED + ": " + acknowledged.size() + " acknowledged pushes, "
        + unanswered + " without an answer, " + refused.size() + " refused, " + kills
        + " kills in " + nanos / 1_000_000_000 + " s; lost " + lost.size() + ", handled "
        + handled.size() + " jobs with " + calls + " calls (" + twice
        + " jobs more than once), dead letters " + letters.size() + " of " + dead.size()
        + " jobs, of which " + healthy
        + " did not fail but were lost with workers; calls of jobs that fail: " + failed);
    assertThat(lost).as("seed " + SEED).isEmpty();
    Set.copyOf(refused.values()).forEach(reason -> System.out.println("refused: " + reason));
    assertThat(handled.keySet()).noneMatch(job -> job.startsWith("fail"));
    assertThat(refused.keySet())
        .as("refused, but called")
        .doesNotContainAnyElementsOf(handled.keySet())
        .doesNotContainAnyElementsOf(failed.jobs());
    failed.check(LossWorker.MAX_DELIVERIES, kills);
    check(letters);
  }
}
