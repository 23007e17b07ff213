package dev.mullion.messaging.kafka;

import dev.mullion.messaging.engine.Settlement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InterruptException;
import org.jspecify.annotations.Nullable;

/**
 * One share consumer with its polling thread. It fetches when it holds nothing, and holds what it
 * got until all of it is settled:
 *
 * <pre>
 *  idle --admitted--&gt; polling --records--&gt; holding --all settled--&gt; idle
 *                        ^  |                 |  ^
 *                        +--+ empty           +--+ commit what is settled; renew at half the lock
 * </pre>
 *
 * <p>A poll goes on until it gets something, and only the stop of the worker interrupts it. If a
 * poll ended empty, its fetch would still be under way and the next poll could ask for another one
 * at the moment in which the first is answered; what the second one gets would then wait in the
 * client, locked, until everything of the first is settled. For the same reason a consumer whose
 * poll or renewal failed is not used any more.
 *
 * <p>All acknowledgements are committed before the next poll: without that, renewals fail and
 * messages come twice.
 */
final class ShareWorker implements Runnable {
  private static final Duration POLL = Duration.ofDays(1);
  private static final Duration POLL_RENEWED = Duration.ofMillis(100);
  private static final long LONGEST_PAUSE_NANOS = 1_000_000_000;
  private static final long RENEWED_NANOS = 5_000_000_000L;

  /** Who decides when to fetch, and gets what was fetched. */
  interface Pool {
    /** Returns whether to fetch now; if not, the worker is woken later. */
    boolean admits(ShareWorker worker);

    /** Takes what was fetched. */
    void arrived(ShareWorker worker, List<Held> records);

    /** Returns how long an acknowledgement waits for others, so that one commit has many. */
    long lingerNanos();

    /** Takes notice that handlers will wait for its commit. Another may fetch meanwhile. */
    void outpaced(ShareWorker worker);

    /** Takes notice that nothing is held any more. */
    void emptied(ShareWorker worker);

    /** Makes what is held of a record. */
    Held hold(ShareWorker worker, ConsumerRecord<byte[], byte[]> fetched);

    /** Takes notice of a failure that is retried. */
    void failing(ShareWorker worker, Throwable error);

    /** Takes notice that the worker has ended. */
    void ended(ShareWorker worker);
  }

  final int size;
  final String group;
  private final Settings settings;
  private final Pool pool;
  private final Thread thread;
  private final List<Held> fetched = new ArrayList<>(); // by the last poll; of the polling thread
  private int held; // how many of these are; of the polling thread
  private final Pace pace; // of the polling thread
  private final List<Held> acknowledged = new ArrayList<>(); // as held; to be committed
  private final ConcurrentLinkedQueue<Held> decided = new ConcurrentLinkedQueue<>();
  private final AtomicInteger undecided = new AtomicInteger();
  private volatile boolean lingering; // woken by the last decision only
  private volatile boolean stopping; // fetches no more
  private volatile boolean closing; // waits for no outcome
  private volatile boolean ended;
  private final Object pollLock = new Object();
  private boolean inPoll; // guarded by pollLock: only then may the thread be interrupted
  private long lockNanos; // of the polling thread, as the next one
  private long renewAt;
  private long commitAt;
  private @Nullable ShareConsumer<byte[], byte[]> consumer; // of the polling thread only

  // Guarded by the pool's lock.
  boolean polling; // has credit reserved
  boolean holding;
  boolean proven; // has got something, so it has joined
  long idleSince;

  ShareWorker(Settings settings, String group, int size, Pool pool) {
    this.settings = settings;
    this.group = group;
    this.size = size;
    this.pace = new Pace(size);
    this.pool = pool;
    this.thread = new Thread(this, "mullion-kafka-" + group);
    thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  void wake() {
    LockSupport.unpark(thread);
  }

  /** Fetches no more, and ends when nothing is held. */
  void stop() {
    stopping = true;
    endPoll();
    wake();
  }

  /** Releases what is held, and ends. */
  void close() {
    closing = true;
    stop();
  }

  private void endPoll() {
    synchronized (pollLock) {
      if (inPoll) {
        thread.interrupt();
      }
    }
  }

  boolean awaitEnd(Duration timeout) throws InterruptedException {
    thread.join(Math.max(1, timeout.toMillis()));
    return !thread.isAlive();
  }

  /** Takes what becomes of a record; false if its lock is gone with this worker. */
  boolean decide(Held record) {
    decided.add(record);
    if (undecided.decrementAndGet() == 0 || !lingering) {
      wake();
    }
    return !ended || !decided.remove(record);
  }

  @Override
  public void run() {
    try {
      while (!(stopping && held == 0) && !closing) {
        turn();
      }
      end();
    } catch (Throwable e) { // of the client, unexpected
      pool.failing(this, e);
    } finally {
      ended = true;
      try {
        stillHeld().forEach(each -> each.answered(Settlement.UNKNOWN));
        acknowledged.forEach(each -> each.answered(Settlement.UNKNOWN));
        for (Held late = decided.poll(); late != null; late = decided.poll()) {
          late.answered(Settlement.LEASE_LOST);
        }
        closeConsumer();
      } finally {
        pool.ended(this);
      }
    }
  }

  private void turn() {
    try {
      if (held > 0 || !acknowledged.isEmpty()) {
        holdOn();
      } else if (pool.admits(this)) {
        fetch();
      } else {
        LockSupport.parkNanos(this, LONGEST_PAUSE_NANOS);
      }
    } catch (KafkaException e) { // retried by the next turn, after a moment
      pool.failing(this, e);
      loseAll();
      LockSupport.parkNanos(
          this, e instanceof AuthorizationException ? 1_000_000_000L : 50_000_000);
    }
  }

  private ShareConsumer<byte[], byte[]> consumer() {
    ShareConsumer<byte[], byte[]> now = consumer;
    if (now == null) {
      now = settings.shareConsumer(group, size);
      consumer = now;
      now.subscribe(List.of(group)); // each share group is named as its only topic
    }
    return now;
  }

  private void fetch() {
    ShareConsumer<byte[], byte[]> from = consumer();
    Iterable<ConsumerRecord<byte[], byte[]>> records = List.of();
    synchronized (pollLock) {
      inPoll = !stopping;
    }
    try {
      if (inPoll) {
        records = from.poll(POLL);
      }
    } catch (InterruptException e) {
      // The end.
    } finally {
      synchronized (pollLock) {
        inPoll = false;
        Thread.interrupted(); // nothing else interrupts this thread
      }
    }
    take(records);
  }

  private void take(Iterable<ConsumerRecord<byte[], byte[]>> records) {
    fetched.clear();
    long bytes = 0;
    for (ConsumerRecord<byte[], byte[]> each : records) {
      fetched.add(pool.hold(this, each));
      bytes += Math.max(0, each.serializedValueSize());
    }
    held = fetched.size();
    undecided.set(held);
    if (held > 0) {
      lockNanos = consumer()
          .acquisitionLockTimeoutMs()
          .map(millis -> millis * 1_000_000L)
          .orElse(settings.lockDuration().toNanos());
      renewAt = System.nanoTime() + lockNanos / 2;
      pace.fetched(held, bytes, System.nanoTime());
      pool.arrived(this, List.copyOf(fetched));
    }
  }

  private void holdOn() {
    boolean first = acknowledged.isEmpty();
    acknowledgeDecided();
    long now = System.nanoTime();
    if (first && !acknowledged.isEmpty()) {
      commitAt = now + pool.lingerNanos();
    }
    if (!acknowledged.isEmpty() && (held == 0 || stopping || commitAt - now <= 0)) {
      commitAcknowledged();
    } else if (renewAt - now <= 0) {
      commitAcknowledged();
      renew();
    } else {
      lingering = !acknowledged.isEmpty();
      long left = (lingering ? commitAt : renewAt) - now;
      if (!lingering || undecided.get() != 0) {
        LockSupport.parkNanos(this, Math.min(left, LONGEST_PAUSE_NANOS));
      }
      lingering = false;
    }
  }

  private void acknowledgeDecided() {
    for (Held each = decided.poll(); each != null; each = decided.poll()) {
      if (each.isHeld()) {
        consumer().acknowledge(each.fetched(), each.decision());
        leave(each);
        acknowledged.add(each);
      } else {
        each.answered(Settlement.LEASE_LOST);
      }
    }
  }

  private void leave(Held record) {
    record.leave();
    if (--held == 0) {
      fetched.clear();
    }
  }

  private List<Held> stillHeld() {
    return fetched.stream().filter(Held::isHeld).toList();
  }

  private void commitAcknowledged() {
    if (acknowledged.isEmpty()) {
      return;
    }
    long begin = System.nanoTime();
    if (held == 0 && pace.isOutpaced(begin)) {
      pool.outpaced(this);
    }
    Settlement settlement = commit();
    pace.committed(System.nanoTime() - begin);
    List<Held> done = List.copyOf(acknowledged);
    acknowledged.clear();
    done.forEach(each -> each.answered(settlement));
    if (held == 0) {
      pool.emptied(this);
    }
  }

  private Settlement commit() {
    try {
      Map<TopicIdPartition, Optional<KafkaException>> answers =
          consumer().commitSync(settings.requestTimeout());
      for (Optional<KafkaException> each : answers.values()) {
        if (each.isPresent()) {
          return settlementOf(each.get());
        }
      }
      if (answers.isEmpty()) { // so it is not known to be applied
        pool.failing(this, new KafkaException("an acknowledgement without an answer"));
        return Settlement.UNKNOWN;
      }
      return Settlement.APPLIED;
    } catch (KafkaException e) {
      return settlementOf(e);
    }
  }

  private Settlement settlementOf(KafkaException error) {
    if (Errors.isLockGone(error)) {
      return Settlement.LEASE_LOST;
    }
    pool.failing(this, error);
    return Settlement.UNKNOWN;
  }

  /** Keeps what is held: renewed records come back from the next polls. */
  private void renew() {
    Map<Long, Held> renewed = new HashMap<>();
    for (Held each : stillHeld()) {
      consumer().acknowledge(each.fetched(), AcknowledgeType.RENEW);
      renewed.put(each.offset(), each);
    }
    boolean kept = commit() == Settlement.APPLIED;
    long deadline = System.nanoTime() + RENEWED_NANOS;
    while (kept && !renewed.isEmpty() && System.nanoTime() - deadline < 0) {
      for (ConsumerRecord<byte[], byte[]> each : consumer().poll(POLL_RENEWED)) {
        Held known = renewed.remove(each.offset());
        if (known != null) {
          known.renewed(each);
        }
      }
    }
    if (!renewed.isEmpty()) {
      loseAll();
    }
    renewAt = System.nanoTime() + lockNanos / 2;
  }

  /** Begins again with another consumer: the locks of this one are gone, or will be. */
  private void loseAll() {
    List<Held> lost = new ArrayList<>(stillHeld());
    lost.forEach(this::leave);
    lost.addAll(acknowledged);
    acknowledged.clear();
    lost.forEach(each -> each.answered(Settlement.LEASE_LOST));
    closeConsumer();
    if (!lost.isEmpty()) {
      pool.emptied(this);
    }
  }

  /** Gives back what is still held: released, which counts. */
  private void end() {
    if (consumer != null) {
      acknowledgeDecided();
      commitAcknowledged();
      stillHeld().forEach(each -> consumer().acknowledge(each.fetched(), AcknowledgeType.RELEASE));
      if (held > 0) {
        commit();
      }
    }
  }

  private void closeConsumer() {
    ShareConsumer<byte[], byte[]> now = consumer;
    consumer = null;
    if (now != null) {
      try {
        now.close(Duration.ofSeconds(2));
      } catch (RuntimeException e) {
        pool.failing(this, e);
      }
    }
  }
}
