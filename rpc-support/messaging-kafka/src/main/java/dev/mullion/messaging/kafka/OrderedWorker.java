package dev.mullion.messaging.kafka;

import dev.mullion.messaging.engine.Settlement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.WakeupException;
import org.jspecify.annotations.Nullable;

/**
 * A member of the consumer group of an ordered queue, with its polling thread:
 *
 * <pre>
 *  poll --&gt; settle what was decided --&gt; choose what to hand out --&gt; commit both
 *   ^                                                                      |
 *   '------------------------------ hand out &lt;-----------------------------'
 * </pre>
 *
 * <p>So each call is counted before it begins. Only as many are handed out as handlers may run, so
 * that a death counts for no message that merely waited. One that may have killed a worker is
 * handed out alone. A partition is left to another worker when its calls have ended.
 */
final class OrderedWorker implements Runnable {
  private static final long LONGEST_POLL = 1000;
  private static final long PAUSE_NANOS = 100_000_000;
  private static final long LONGEST_PAUSE_NANOS = 5_000_000_000L;
  private static final Duration CLOSE = Duration.ofSeconds(2);
  private static final Duration MARGIN = Duration.ofSeconds(30);
  private static final Duration LONGEST_CALL = Duration.ofDays(20); // the client counts to 24 days

  private final KafkaLink link;
  private final OrderedSource source;
  private final String group;
  private final String topic;
  private final int concurrency;
  private final GroupOffsets offsets;
  private final Thread thread;
  private final AtomicLong credit = new AtomicLong();
  private final ConcurrentLinkedQueue<Decided> decided = new ConcurrentLinkedQueue<>();
  private volatile boolean stopping; // hands out no more
  private volatile boolean closing; // waits for no outcome
  private volatile boolean ended;
  private volatile boolean news; // of any of these, or of credit

  private final Object pollLock = new Object();
  private @Nullable Consumer<byte[], byte[]> polled; // guarded by pollLock: it may be woken

  // Of the polling thread.
  private final Map<TopicPartition, OrderedPartition> partitions = new LinkedHashMap<>(); // by turn
  private final List<OrderedDelivery> chosen = new ArrayList<>(); // handed out once committed
  private final List<OrderedDelivery> settled = new ArrayList<>(); // answered once committed
  private final Strays strays = new Strays();
  private @Nullable Uuid id; // of the topic, while it has partitions
  private boolean alone; // what is handed out may have killed a worker
  private boolean blocked; // by one that may have, until it can be handed out alone
  private long pause = PAUSE_NANOS; // after the next failure

  /** What becomes of a delivery: null if it is settled. */
  private record Decided(OrderedDelivery delivery, @Nullable Tries then) {}

  OrderedWorker(KafkaLink link, OrderedSource source, int concurrency) {
    this.link = link;
    this.source = source;
    this.group = link.names().ordered(source.queue());
    this.topic = link.names().queue(source.queue());
    this.concurrency = concurrency;
    this.offsets = new GroupOffsets(link.known(), link.settings().requestTimeout());
    this.thread = new Thread(this, "mullion-kafka-" + group);
    thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  void request(int deliveries) {
    credit.addAndGet(deliveries);
    wake();
  }

  void decide(OrderedDelivery delivery, @Nullable Tries then) {
    decided.add(new Decided(delivery, then));
    if (ended) {
      delivery.lost();
    }
    wake();
  }

  /** Hands out no more, and ends when all is settled. */
  void stop() {
    stopping = true;
    wake();
  }

  /** Ends: what is not settled counts as lost. */
  void close() {
    closing = true;
    stop();
  }

  boolean awaitEnd(Duration timeout) throws InterruptedException {
    thread.join(timeout.toMillis());
    if (thread.isAlive()) {
      thread.interrupt();
    }
    return !thread.isAlive();
  }

  private void wake() {
    news = true;
    synchronized (pollLock) {
      if (polled != null) {
        polled.wakeup();
      }
    }
    LockSupport.unpark(thread);
  }

  @Override
  public void run() {
    try {
      while (!isOver()) {
        try {
          work(link.settings().member(group, patience().plus(MARGIN)));
        } catch (Throwable e) { // of the client: begins again at what is committed
          if (!isOver()) {
            link.failing(group, e);
            LockSupport.parkNanos(this, pause);
            pause = Math.min(2 * pause, LONGEST_PAUSE_NANOS);
          }
        } finally {
          lose(List.copyOf(partitions.keySet()));
        }
      }
    } finally {
      ended = true;
      for (Decided late = decided.poll(); late != null; late = decided.poll()) {
        late.delivery.lost();
      }
    }
  }

  private boolean isOver() {
    return closing || (stopping && out() == 0);
  }

  /** Returns how long a partition may stay with its calls after another worker shall have it. */
  private Duration patience() {
    Duration call = source.queue().handlerTimeout();
    return (call.compareTo(LONGEST_CALL) < 0 ? call : LONGEST_CALL).plus(MARGIN);
  }

  private void work(Consumer<byte[], byte[]> from) {
    try {
      id = null;
      from.subscribe(List.of(topic), new Rebalance(from));
      while (!isOver() && !isAnother()) {
        ConsumerRecords<byte[], byte[]> records = poll(from);
        for (TopicPartition each : records.partitions()) {
          OrderedPartition partition = partitions.get(each);
          if (partition == null) {
            throw new IllegalStateException(each + " is not known"); // its begin was not read
          }
          records.records(each).forEach(next -> lost(partition.add(next)));
        }
        turn(from);
        pauseFull(from);
      }
      if (!isAnother()) {
        turn(from);
      }
    } finally {
      from.close(CloseOptions.timeout(CLOSE));
    }
  }

  /** Returns whether the topic was made again, so that nothing can be committed. */
  private boolean isAnother() {
    return link.known().isAnother(topic, id);
  }

  private boolean isGone() {
    return isAnother() || link.known().isMissing(topic);
  }

  private ConsumerRecords<byte[], byte[]> poll(Consumer<byte[], byte[]> from) {
    Duration wait = Duration.ofMillis(longestPoll());
    mayWake(from);
    try {
      return from.poll(news ? Duration.ZERO : wait);
    } catch (WakeupException e) {
      return ConsumerRecords.empty();
    } finally {
      mayWake(null);
    }
  }

  private void mayWake(@Nullable Consumer<byte[], byte[]> now) {
    synchronized (pollLock) {
      polled = now;
    }
  }

  /** Returns how long nothing is to be done by itself. */
  private long longestPoll() {
    if (blocked || !mayHandOut()) {
      return LONGEST_POLL;
    }
    long due = Long.MAX_VALUE;
    for (OrderedPartition each : partitions.values()) {
      due = Math.min(due, each.due());
    }
    return Math.max(1, Math.min(LONGEST_POLL, due - System.currentTimeMillis()));
  }

  /** Applies what was decided, and hands out what may be; false if that is not committed. */
  private boolean turn(Consumer<byte[], byte[]> from) {
    news = false;
    for (Decided each = decided.poll(); each != null; each = decided.poll()) {
      OrderedPartition partition = partitions.get(each.delivery.place());
      if (partition != null && partition.settle(each.delivery, each.then)) {
        settled.add(each.delivery);
      } else {
        each.delivery.lost();
      }
    }
    choose();
    if (!commit(from)) {
      return false;
    }
    settled.forEach(each -> each.answered(Settlement.APPLIED));
    settled.clear();
    List<OrderedDelivery> next = List.copyOf(chosen);
    chosen.clear();
    next.forEach(source::pass);
    return true;
  }

  private void choose() {
    long now = System.currentTimeMillis();
    int idle = 0;
    blocked = false;
    while (idle < partitions.size() && mayHandOut()) {
      OrderedPartition first = partitions.values().iterator().next();
      long next = strays.has(first.place()) ? -1 : first.next(now);
      boolean suspect = next >= 0 && first.isSuspect(next);
      if (suspect && out() > 0) {
        blocked = true; // the others wait too, or it would never be alone
        return;
      }
      partitions.remove(first.place());
      partitions.put(first.place(), first); // behind the others
      idle++;
      if (next >= 0) {
        credit.decrementAndGet();
        chosen.add(first.handOut(next, source));
        alone = suspect;
        idle = 0;
      }
    }
  }

  private boolean mayHandOut() {
    int out = out();
    return !stopping && credit.get() > 0 && out < concurrency && !(alone && out > 0);
  }

  private int out() {
    return strays.count()
        + partitions.values().stream().mapToInt(OrderedPartition::out).sum();
  }

  /** Commits what has changed; false if that must be repeated. */
  private boolean commit(Consumer<byte[], byte[]> to) {
    Map<TopicPartition, OffsetAndMetadata> changed = new HashMap<>();
    for (OrderedPartition each : partitions.values()) {
      if (each.isChanged()) {
        changed.put(each.place(), TopicId.with(each.progress(), id));
      }
    }
    if (changed.isEmpty()) {
      return true;
    }
    try {
      offsets.commit(to, changed, id == null ? Map.of() : Map.of(topic, id));
    } catch (RetriableException e) {
      link.failing(group, e);
      return false;
    }
    pause = PAUSE_NANOS;
    partitions.values().forEach(OrderedPartition::committed);
    return true;
  }

  private void pauseFull(Consumer<byte[], byte[]> from) {
    List<TopicPartition> full = new ArrayList<>();
    List<TopicPartition> others = new ArrayList<>();
    for (OrderedPartition each : partitions.values()) {
      (each.isFull() ? full : others).add(each.place());
    }
    from.pause(full);
    from.resume(others);
  }

  /** Forgets partitions; what they have handed out is another worker's, and counts as lost. */
  private void lose(Collection<TopicPartition> lost) {
    for (TopicPartition place : lost) {
      OrderedPartition partition = partitions.remove(place);
      if (partition != null) {
        lost(partition.lose());
      }
    }
    settled.removeIf(each -> {
      boolean gone = lost.contains(each.place());
      if (gone) {
        each.lost();
      }
      return gone;
    });
    int before = chosen.size();
    chosen.removeIf(each -> lost.contains(each.place()));
    credit.addAndGet(before - chosen.size());
  }

  private void lost(List<OrderedDelivery> deliveries) {
    strays.add(deliveries, System.nanoTime() + patience().toNanos());
  }

  /** What the consumer group does with partitions; called by polls, on their thread. */
  private final class Rebalance implements ConsumerRebalanceListener {
    private final Consumer<byte[], byte[]> member;

    Rebalance(Consumer<byte[], byte[]> member) {
      this.member = member;
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> assigned) {
      mayWake(null);
      if (id == null) {
        id = link.topology().idsOf(assigned, group).get(topic);
      }
      Takeover takeover = new Takeover(member, offsets, link.settings().requestTimeout(), id);
      takeover.read(assigned).forEach(each -> partitions.put(each.place(), each));
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> revoked) {
      mayWake(null);
      if (!isAnother()) {
        awaitCalls(revoked);
      }
      lose(revoked);
    }

    /**
     * Keeps the partitions until their calls have ended. Meanwhile the others hand out what was
     * fetched before, and no more, since this holds up the poll. A topic that was deleted keeps
     * nothing.
     */
    private void awaitCalls(Collection<TopicPartition> revoked) {
      long end = System.nanoTime() + patience().toNanos();
      List<OrderedPartition> leaving = partitions.values().stream()
          .filter(each -> revoked.contains(each.place()))
          .toList();
      leaving.forEach(OrderedPartition::leave);
      boolean kept = turn(member);
      while (!closing
          && (kept || !isGone())
          && leaving.stream().anyMatch(each -> each.out() > 0)
          && System.nanoTime() - end < 0) {
        LockSupport.parkNanos(OrderedWorker.this, PAUSE_NANOS);
        kept = turn(member);
      }
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> lost) {
      mayWake(null);
      lose(lost);
    }
  }
}
