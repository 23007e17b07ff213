package dev.mullion.messaging.kafka;

import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * The share consumers of one subscription. One polls at a time, and has reserved credit for all
 * that it may get. A consumer that holds a message of a slow handler cannot fetch, so another one
 * is started when none has polled for a moment although there is credit.
 */
abstract class SharePool implements Source, ShareWorker.Pool {
  private static final int MOST_RECORDS = 500;
  private static final long GROW_MILLIS = 10;
  private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(60);
  private static final Duration CLOSE = Duration.ofSeconds(3);

  private final KafkaLink link;
  private final String group;
  private final AtomicBoolean closed = new AtomicBoolean();
  private final AtomicBoolean growing = new AtomicBoolean();
  private final Object lock = new Object();

  // Guarded by the lock.
  private final List<ShareWorker> workers = new ArrayList<>();
  private @Nullable ShareWorker polling;
  private long credit;
  private long lastPolled = System.nanoTime();
  private boolean cancelled;

  SharePool(KafkaLink link, String group) {
    this.link = link;
    this.group = group;
  }

  KafkaLink link() {
    return link;
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

  /** Gives the turn to poll to a consumer, a new one if need be. */
  private void dispatch() {
    ShareWorker next = null;
    boolean isNew = false;
    boolean later = false;
    synchronized (lock) {
      if (cancelled || credit <= 0 || polling != null) {
        return;
      }
      next = bestIdle();
      if (next == null && workers.size() < link.settings().maxConsumers()) {
        later = !workers.isEmpty()
            && System.nanoTime() - lastPolled < TimeUnit.MILLISECONDS.toNanos(GROW_MILLIS);
        if (!later) {
          next = new ShareWorker(
              link.settings(), group, (int) Math.min(MOST_RECORDS, credit), this);
          workers.add(next);
          isNew = true;
        }
      }
      if (next != null) {
        next.busy = true;
        polling = next;
        credit -= next.size;
      }
    }
    if (isNew) {
      next.start();
    } else if (next != null) {
      next.wake();
    } else if (later && growing.compareAndSet(false, true)) {
      link.later(GROW_MILLIS, () -> {
        growing.set(false);
        dispatch();
      });
    }
  }

  private @Nullable ShareWorker bestIdle() {
    ShareWorker best = null;
    for (ShareWorker each : workers) {
      if (!each.busy && each.size <= credit && (best == null || each.size > best.size)) {
        best = each;
      }
    }
    return best;
  }

  @Override
  public boolean admits(ShareWorker worker) {
    synchronized (lock) {
      if (polling == worker) {
        return true;
      }
      if (workers.size() > 1
          && !worker.busy
          && System.nanoTime() - worker.idleSince > IDLE_NANOS
          && workers.get(0) != worker) {
        workers.remove(worker);
        worker.stop();
      }
      return false;
    }
  }

  @Override
  public void arrived(ShareWorker worker, List<Held> records) {
    boolean refused;
    synchronized (lock) {
      if (polling == worker) {
        polling = null;
        lastPolled = System.nanoTime();
        credit += worker.size;
      }
      credit -= records.size();
      refused = cancelled;
    }
    for (Held each : records) {
      if (refused) {
        returned(each);
      } else {
        deliver(each);
      }
    }
    dispatch();
  }

  /** Passes a message on. */
  abstract void deliver(Held record);

  /** Gives a message back that came too late. */
  abstract void returned(Held record);

  @Override
  public void emptied(ShareWorker worker) {
    synchronized (lock) {
      worker.busy = false;
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
      workers.remove(worker);
      if (polling == worker) {
        polling = null;
        credit += worker.size;
      }
    }
    dispatch();
  }

  @Override
  public CompletionStage<Void> ready() {
    return CompletableFuture.completedStage(null); // what is sent is kept, whoever polls when
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
