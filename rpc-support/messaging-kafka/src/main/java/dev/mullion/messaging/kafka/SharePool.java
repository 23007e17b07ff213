package dev.mullion.messaging.kafka;

import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;

/**
 * The share consumers of one subscription. The first ones share its whole credit, so that each can
 * poll whenever it is empty. One that holds a message of a slow handler cannot fetch, so another is
 * started when none has polled for a moment although there is credit. A second one is started at
 * once if the handlers are quicker than the first, which does not fetch while it commits: {@link
 * Pace} tells.
 *
 * <pre>
 *  maxInFlight 11    | 3 | 3 | 3 | 2 |  and, if all of these hold slow messages,  | 1 | 1 | ...
 * </pre>
 */
abstract class SharePool implements Source, ShareWorker.Pool {
  private static final int SHARES = 4;
  private static final int MOST_RECORDS = 1_000;
  private static final long GROW_MILLIS = 100;
  private static final long LINGER_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
  private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(60);
  private static final long QUIET_MILLIS = 1000;
  private static final Duration CLOSE = Duration.ofSeconds(3);

  private final KafkaLink link;
  private final String group;
  private final int share;
  private final AtomicBoolean closed = new AtomicBoolean();
  private final AtomicBoolean growing = new AtomicBoolean();
  private final Object lock = new Object();

  // Guarded by the lock.
  private final List<ShareWorker> workers = new ArrayList<>();
  private int shared; // of the credit: the sizes of all workers
  private long credit;
  private long lastPolled = System.nanoTime();
  private boolean cancelled;
  private @Nullable Uuid topicId;
  private final List<Runnable> whenQuiet = new ArrayList<>();
  private final int maxInFlight;

  SharePool(KafkaLink link, String group, int maxInFlight) {
    this.link = link;
    this.group = group;
    this.maxInFlight = maxInFlight;
    this.topicId = link.known().id(group);
    this.share = Math.min(MOST_RECORDS, (maxInFlight + SHARES - 1) / SHARES);
  }

  KafkaLink link() {
    return link;
  }

  /**
   * Begins again with other consumers if the topic was deleted and made again: those that were
   * there before may wait for records of the former one for ever (Kafka 4.4.0).
   */
  void restartIfAnother() {
    List<ShareWorker> all;
    synchronized (lock) {
      Uuid now = link.known().id(group); // read once: it may become known meanwhile
      boolean another = TopicId.differ(now, topicId);
      topicId = now == null ? topicId : now;
      all = another ? List.copyOf(workers) : List.of();
    }
    all.forEach(ShareWorker::stop);
  }

  @Override
  public void request(int deliveries) {
    synchronized (lock) {
      credit += deliveries;
    }
    dispatch();
  }

  /** Returns the credit of a message that was not delivered. */
  void unused() {
    request(1);
  }

  /**
   * Takes credit for a message from elsewhere, even what a consumer that polls has reserved: so one
   * message may be held above the credit. Returns false if there is none.
   */
  boolean take() {
    synchronized (lock) {
      long reserved = workers.stream()
          .filter(each -> each.polling)
          .mapToLong(each -> each.size)
          .sum();
      if (credit + reserved <= 0) {
        return false;
      }
      credit--;
      return true;
    }
  }

  /** Lets a consumer poll, a new one if need be. */
  private void dispatch() {
    dispatch(GROW_MILLIS);
  }

  /** Lets a consumer poll, a new one if none has polled for that many milliseconds. */
  private void dispatch(long growMillis) {
    ShareWorker next;
    boolean isNew = false;
    boolean later = false;
    synchronized (lock) {
      if (cancelled || credit <= 0 || isPolled()) {
        return;
      }
      next = bestIdle();
      if (next == null && mayGrow()) {
        long since = System.nanoTime() - lastPolled;
        later = !workers.isEmpty() && since < TimeUnit.MILLISECONDS.toNanos(growMillis);
        if (!later) {
          next = grow();
          isNew = true;
        }
      }
      if (next != null) {
        next.polling = true;
        credit -= next.size;
      }
    }
    if (isNew && next != null) {
      start(next);
    } else if (next != null) {
      next.wake();
    } else if (later && growing.compareAndSet(false, true)) {
      link.later(GROW_MILLIS, () -> {
        growing.set(false);
        dispatch();
      });
    }
  }

  /** One that cannot start must not end the one whose thread this is; another starts later. */
  private void start(ShareWorker worker) {
    try {
      worker.start();
    } catch (Throwable e) { // no memory for a thread
      failing(worker, e);
      ended(worker);
    }
  }

  /** Returns whether one polls that has got something before: a new one has to join first. */
  private boolean isPolled() {
    for (ShareWorker each : workers) {
      if (each.polling && each.proven) {
        return true;
      }
    }
    return false;
  }

  private @Nullable ShareWorker bestIdle() {
    ShareWorker best = null;
    for (ShareWorker each : workers) {
      boolean idle = !each.polling && !each.holding;
      if (idle && each.size <= credit && (best == null || each.size > best.size)) {
        best = each;
      }
    }
    return best;
  }

  private boolean mayGrow() {
    if (workers.size() >= link.settings().maxConsumers()) {
      return false;
    }
    for (ShareWorker each : workers) {
      if (each.polling) { // one is joining
        return false;
      }
    }
    return true;
  }

  private ShareWorker grow() {
    int size = (int) Math.min(credit, Math.max(1, Math.min(share, maxInFlight - shared)));
    ShareWorker worker = new ShareWorker(link.settings(), group, size, this);
    workers.add(worker);
    shared += size;
    return worker;
  }

  @Override
  public boolean admits(ShareWorker worker) {
    synchronized (lock) {
      if (worker.polling) {
        return true;
      }
      if (System.nanoTime() - worker.idleSince > IDLE_NANOS && isSpare(worker)) {
        remove(worker);
        worker.stop();
      }
      return false;
    }
  }

  /** Returns whether another one stays that has joined and gets as much at a time. */
  private boolean isSpare(ShareWorker worker) {
    return workers.stream()
        .anyMatch(each -> each != worker && each.proven && each.size >= worker.size);
  }

  private void remove(ShareWorker worker) {
    if (workers.remove(worker)) {
      shared -= worker.size;
    }
    if (worker.polling) {
      worker.polling = false;
      credit += worker.size;
    }
  }

  @Override
  public void arrived(ShareWorker worker, List<Held> records) {
    boolean refused;
    synchronized (lock) {
      if (worker.polling) {
        worker.polling = false;
        credit += worker.size;
      }
      worker.holding = true;
      worker.proven = true;
      lastPolled = System.nanoTime();
      credit -= records.size();
      refused = cancelled;
    }
    if (refused) {
      records.forEach(this::returned);
    } else {
      deliverAll(records);
    }
    runQuiet(false);
    dispatch();
  }

  /**
   * Runs something once no consumer of this pool fetches any more. A copy that is sent before would
   * be acquired by such a fetch, whose consumer is about to close: that would count as a delivery.
   */
  void whenQuiet(Runnable task) {
    synchronized (lock) {
      if (cancelled && isFetching()) {
        whenQuiet.add(task);
        if (whenQuiet.size() == 1) {
          link.later(QUIET_MILLIS, () -> runQuiet(true));
        }
        return;
      }
    }
    task.run();
  }

  private boolean isFetching() {
    return workers.stream().anyMatch(each -> each.polling);
  }

  private void runQuiet(boolean late) {
    List<Runnable> tasks;
    synchronized (lock) {
      if (!late && isFetching()) {
        return;
      }
      tasks = List.copyOf(whenQuiet);
      whenQuiet.clear();
    }
    tasks.forEach(Runnable::run);
  }

  /** Passes messages on, in their order. */
  void deliverAll(List<Held> records) {
    records.forEach(this::deliver);
  }

  /** Passes a message on. */
  abstract void deliver(Held record);

  /** Gives a message back that came too late. */
  abstract void returned(Held record);

  boolean isCancelled() {
    synchronized (lock) {
      return cancelled;
    }
  }

  @Override
  public long lingerNanos() {
    return LINGER_NANOS;
  }

  @Override
  public void outpaced(ShareWorker worker) {
    boolean grows;
    synchronized (lock) {
      grows = workers.size() == 1 && worker.size > 1; // two take turns
    }
    if (grows) {
      dispatch(0);
    }
  }

  @Override
  public void emptied(ShareWorker worker) {
    synchronized (lock) {
      worker.holding = false;
      worker.idleSince = System.nanoTime();
    }
    dispatch();
  }

  @Override
  public void failing(ShareWorker worker, Throwable error) {
    link.failing(group, error);
  }

  @Override
  public void ended(ShareWorker worker) {
    synchronized (lock) {
      remove(worker);
    }
    runQuiet(false);
    link.later(GROW_MILLIS, this::dispatch); // not at once: it may have failed
  }

  @Override
  public CompletionStage<Void> ready() {
    return CompletableFuture.completedStage(null); // what is sent is kept until a consumer polls
  }

  @Override
  public void cancel() {
    List<ShareWorker> all;
    synchronized (lock) {
      cancelled = true;
      all = List.copyOf(workers);
    }
    all.forEach(ShareWorker::stop);
  }

  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    cancel();
    List<ShareWorker> all;
    synchronized (lock) {
      all = List.copyOf(workers);
    }
    all.forEach(ShareWorker::close);
    try {
      long end = System.nanoTime() + CLOSE.toNanos();
      for (ShareWorker each : all) {
        long left = Math.max(1_000_000, end - System.nanoTime());
        if (!each.awaitEnd(Duration.ofNanos(left))) {
          Logs.warn("close", "a share consumer of " + group + " has not ended yet", null);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      closedNow();
    }
  }

  /** Called once at the end. */
  abstract void closedNow();
}
