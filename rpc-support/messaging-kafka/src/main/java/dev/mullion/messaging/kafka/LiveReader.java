package dev.mullion.messaging.kafka;

import java.time.Duration;
import java.util.ArrayList;
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
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.errors.WakeupException;
import org.jspecify.annotations.Nullable;

/**
 * Reads topics from their present end on, for all live subscribers of a link: one consumer without
 * a group. A topic stays assigned until its last subscriber has left.
 */
final class LiveReader implements Runnable {
  private static final Duration POLL = Duration.ofMillis(200);
  private static final long LOOK_NANOS = 5_000_000_000L;

  /** A subscriber. Its methods are called by the reader's thread. */
  abstract static class Listener {
    final String kafkaTopic;
    final CompletableFuture<Void> ready = new CompletableFuture<>();
    private final Map<TopicPartition, Long> begin = new HashMap<>(); // of the reader's thread

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
  private final Map<TopicPartition, Long> read = new HashMap<>(); // how far; of the thread
  private volatile boolean leaving; // some topic may have lost its last listener
  private volatile boolean stopping;
  private long looked = System.nanoTime();

  LiveReader(KafkaLink link) {
    this.link = link;
    this.consumer = link.settings().reader("live", "latest");
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

  void remove(Listener listener) {
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
          LockSupport.parkNanos(100_000_000);
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
    if (consumer.assignment().isEmpty()) {
      LockSupport.parkNanos(POLL.toNanos());
      return;
    }
    if (System.nanoTime() - looked > LOOK_NANOS) {
      looked = System.nanoTime();
      lookForPartitions();
    }
    for (ConsumerRecord<byte[], byte[]> each : consumer.poll(POLL)) {
      pass(each);
    }
  }

  /** Returns whether it has joined; one that has not, joins later, and holds up no other one. */
  private boolean hasJoined(Listener next) {
    try {
      join(next);
      return true;
    } catch (WakeupException e) {
      throw e;
    } catch (KafkaException e) {
      failing(next.kafkaTopic, List.of(next), e);
      return false;
    }
  }

  private void pass(ConsumerRecord<byte[], byte[]> next) {
    List<Listener> all = listeners.get(next.topic());
    if (all == null) {
      return;
    }
    TopicPartition partition = new TopicPartition(next.topic(), next.partition());
    Long before = read.put(partition, next.offset() + 1);
    if (before != null && next.offset() < before) { // the topic was deleted and made again
      all.forEach(each -> each.begin.remove(partition));
    }
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
    Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
    assign(partitions, ends);
    listener.begin.putAll(ends);
    List<Listener> all =
        listeners.computeIfAbsent(listener.kafkaTopic, topic -> new CopyOnWriteArrayList<>());
    if (!all.contains(listener)) {
      all.add(listener);
    }
    link.callbacks().execute(() -> listener.ready.complete(null));
  }

  private List<TopicPartition> partitions(String topic) {
    List<TopicPartition> partitions = new ArrayList<>();
    for (PartitionInfo each : consumer.partitionsFor(topic)) {
      partitions.add(new TopicPartition(topic, each.partition()));
    }
    if (partitions.isEmpty()) {
      throw new UnknownTopicOrPartitionException("topic " + topic + " has no partitions yet");
    }
    return partitions;
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
      read.put(each, begin);
    }
  }

  /** A topic may have got more partitions, which are read from their beginning. */
  private void lookForPartitions() {
    listeners.forEach((topic, all) -> {
      if (!all.isEmpty()) {
        lookForPartitions(topic);
      }
    });
  }

  private void lookForPartitions(String topic) {
    try {
      assign(partitions(topic), null);
    } catch (WakeupException e) {
      throw e;
    } catch (KafkaException e) { // such as one that was deleted: the others go on
      failing(topic, listeners.getOrDefault(topic, List.of()), e);
    }
  }

  private void failing(String topic, List<Listener> all, KafkaException error) {
    link.failing("live subscribers of " + topic, error);
    if (Errors.isMissing(error)) {
      all.forEach(Listener::gone);
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
      read.keySet().retainAll(left);
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
