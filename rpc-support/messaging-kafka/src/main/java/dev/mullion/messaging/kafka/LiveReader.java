package dev.mullion.messaging.kafka;

import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.errors.WakeupException;
import org.jspecify.annotations.Nullable;

/**
 * Reads topics from their present end on, for all live subscribers of a link: one consumer without
 * a group. A topic stays assigned until its last subscriber has left. One that was deleted and made
 * again is read from its beginning.
 */
final class LiveReader implements Runnable {
  private static final Duration POLL = Duration.ofMillis(200);
  private static final long LOOK_NANOS = 5_000_000_000L;
  private static final long PAUSE_NANOS = 100_000_000;

  /** A subscriber. Its methods are called by the reader's thread. */
  abstract static class Listener {
    final String kafkaTopic;
    final CompletableFuture<Void> ready = new CompletableFuture<>();
    private final Map<TopicPartition, Long> begin = new HashMap<>(); // of the reader's thread
    private volatile boolean left;

    Listener(String kafkaTopic) {
      this.kafkaTopic = kafkaTopic;
    }

    /** Takes a record. */
    abstract void take(ConsumerRecord<byte[], byte[]> next);

    /** Takes notice that the topic does not exist, as it seems; at intervals, until it does. */
    void gone() {}
  }

  private final KafkaLink link;
  private final Consumer<byte[], byte[]> consumer;
  private final Map<String, List<Listener>> listeners = new ConcurrentHashMap<>();
  private final ConcurrentLinkedQueue<Listener> joining = new ConcurrentLinkedQueue<>();
  private final Thread thread;
  private final Map<String, Uuid> ids = new HashMap<>(); // of the topics; of the thread
  private volatile boolean leaving; // some topic may have lost its last listener
  private volatile boolean stopping;
  private long looked = System.nanoTime();

  LiveReader(KafkaLink link) {
    this.link = link;
    this.consumer = link.settings().reader("live", "none");
    this.thread = new Thread(this, "mullion-kafka-live");
    thread.setDaemon(true);
    thread.start();
  }

  /** Adds a listener; its stage {@code ready} completes when it misses nothing any more. */
  void add(Listener listener) {
    joining.add(listener);
    consumer.wakeup();
    LockSupport.unpark(thread);
  }

  /** Returns the topics that have subscribers, or will have. */
  Set<String> topics() {
    Set<String> topics = new HashSet<>();
    joining.forEach(each -> topics.add(each.kafkaTopic));
    listeners.forEach((topic, all) -> {
      if (!all.isEmpty()) {
        topics.add(topic);
      }
    });
    return topics;
  }

  void remove(Listener listener) {
    listener.left = true; // it may be joining just now
    joining.remove(listener);
    List<Listener> all = listeners.get(listener.kafkaTopic);
    if (all != null && all.remove(listener) && all.isEmpty()) {
      leaving = true;
    }
  }

  @Override
  public void run() {
    try {
      while (!stopping) {
        try {
          turn();
        } catch (WakeupException e) {
          // Someone joins, or this ends.
        } catch (Throwable e) { // retried
          link.failing("live subscribers", e);
          LockSupport.parkNanos(PAUSE_NANOS);
        }
      }
    } finally {
      try {
        consumer.close(CloseOptions.timeout(Duration.ofSeconds(1)));
      } catch (RuntimeException e) {
        link.failing("live subscribers", e);
      }
    }
  }

  private void turn() {
    joining.removeIf(this::hasJoined);
    if (leaving) {
      leave();
    }
    ids.keySet().forEach(this::restartIfAnother);
    if (System.nanoTime() - looked >= LOOK_NANOS) {
      looked = System.nanoTime();
      lookForPartitions();
    }
    if (consumer.assignment().isEmpty()) {
      LockSupport.parkNanos(POLL.toNanos());
      return;
    }
    try {
      for (ConsumerRecord<byte[], byte[]> each : consumer.poll(POLL)) {
        pass(each);
      }
    } catch (OffsetOutOfRangeException e) {
      outOfRange(e.offsetOutOfRangePartitions());
    }
  }

  /**
   * A topic was made again, or a log has lost records: at its beginning by retention, or at its end
   * with a machine. The rest of such a log is old, so what follows is read.
   */
  private void outOfRange(Map<TopicPartition, Long> positions) {
    link.topology().idsOf(positions.keySet(), "live subscribers");
    Map<TopicPartition, Long> begins = consumer.beginningOffsets(positions.keySet());
    positions.forEach((partition, position) -> {
      if (restartIfAnother(partition.topic()) || !consumer.assignment().contains(partition)) {
        return;
      }
      if (position < begins.getOrDefault(partition, 0L)) {
        consumer.seekToBeginning(List.of(partition));
      } else {
        consumer.seekToEnd(List.of(partition));
        listeners
            .getOrDefault(partition.topic(), List.of())
            .forEach(each -> each.begin.remove(partition));
      }
    });
  }

  /** Reads a topic from its beginning, if it has another id than before; returns whether it has. */
  private boolean restartIfAnother(String topic) {
    Uuid now = link.known().id(topic);
    Uuid before = now == null ? null : ids.put(topic, now);
    if (!TopicId.differ(before, now)) {
      return false;
    }
    listeners.getOrDefault(topic, List.of()).forEach(each -> each.begin.clear());
    Set<TopicPartition> others = new HashSet<>(consumer.assignment());
    others.removeIf(each -> each.topic().equals(topic));
    consumer.assign(others); // the next look finds its partitions, perhaps others than before
    looked = System.nanoTime() - LOOK_NANOS;
    return true;
  }

  /** Returns whether it has joined; one that has not, joins later, and holds up no other one. */
  private boolean hasJoined(Listener next) {
    try {
      join(next);
      return true;
    } catch (WakeupException e) {
      throw e;
    } catch (UnknownTopicOrPartitionException e) {
      next.gone();
      return false;
    } catch (KafkaException e) {
      link.failing("live subscribers of " + next.kafkaTopic, e);
      return false;
    }
  }

  private void pass(ConsumerRecord<byte[], byte[]> next) {
    List<Listener> all = listeners.get(next.topic());
    if (all == null) {
      return;
    }
    TopicPartition partition = new TopicPartition(next.topic(), next.partition());
    for (Listener each : all) {
      if (next.offset() >= each.begin.getOrDefault(partition, 0L)) {
        give(each, next);
      }
    }
  }

  /** One that fails keeps nothing from the others. */
  private void give(Listener listener, ConsumerRecord<byte[], byte[]> next) {
    try {
      listener.take(next);
    } catch (Throwable e) { // such as no memory left: its record is lost
      link.failing("a record of " + next.topic(), e);
    }
  }

  /** Can be repeated, if it was interrupted by the next one that joins. */
  private void join(Listener listener) {
    List<TopicPartition> partitions = partitions(listener.kafkaTopic);
    restartIfAnother(listener.kafkaTopic);
    Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
    boolean first = listeners.getOrDefault(listener.kafkaTopic, List.of()).isEmpty();
    assign(partitions, first ? ends : null);
    listener.begin.putAll(ends);
    List<Listener> all =
        listeners.computeIfAbsent(listener.kafkaTopic, topic -> new CopyOnWriteArrayList<>());
    if (!all.contains(listener)) {
      all.add(listener);
    }
    if (listener.left) {
      remove(listener);
    }
    link.tell(() -> listener.ready.complete(null));
  }

  private List<TopicPartition> partitions(String topic) {
    try {
      return Topology.partitions(link.topology().one(topic, "live subscribers"));
    } catch (MissingAddressException e) {
      throw new UnknownTopicOrPartitionException(e.getMessage(), e);
    } catch (MessagingException e) {
      throw new KafkaException(e.getMessage(), e);
    }
  }

  /** Adds partitions; those that are new are read from there, or from their beginning. */
  private void assign(List<TopicPartition> partitions, @Nullable Map<TopicPartition, Long> ends) {
    Set<TopicPartition> all = new HashSet<>(consumer.assignment());
    List<TopicPartition> added = partitions.stream().filter(all::add).toList();
    if (added.isEmpty()) {
      return;
    }
    consumer.assign(all);
    for (TopicPartition each : added) {
      long begin = ends == null ? 0 : ends.getOrDefault(each, 0L);
      consumer.seek(each, begin);
    }
  }

  /** A topic may have got more partitions, which are read from their beginning. */
  private void lookForPartitions() {
    Set<String> asked = new HashSet<>(listeners.keySet());
    asked.retainAll(topics());
    if (asked.isEmpty()) {
      return;
    }
    Map<String, TopicDescription> found;
    try {
      found = link.topology().existing(asked, "live subscribers");
    } catch (MessagingException e) {
      link.failing("live subscribers", e);
      return;
    }
    for (String topic : asked) {
      TopicDescription description = found.get(topic);
      if (description == null) {
        listeners.getOrDefault(topic, List.of()).forEach(Listener::gone);
      } else {
        restartIfAnother(topic);
        assign(Topology.partitions(description), null);
      }
    }
  }

  private void leave() {
    leaving = false;
    Set<TopicPartition> left = new HashSet<>(consumer.assignment());
    left.removeIf(each -> {
      List<Listener> all = listeners.get(each.topic());
      return all == null || all.isEmpty();
    });
    if (!left.equals(consumer.assignment())) {
      consumer.assign(left);
      ids.keySet().retainAll(left.stream().map(TopicPartition::topic).toList());
    }
  }

  void close() {
    stopping = true;
    consumer.wakeup();
    LockSupport.unpark(thread);
    try {
      thread.join(2000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
