package dev.mullion.messaging.kafka;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.MessagingException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;

/** Reads partitions from a given place to their present end. One caller at a time. */
final class Reader {
  private static final Duration POLL = Duration.ofMillis(50);

  private final Settings settings;
  private final Topology topology;
  private final Errors errors;
  private final Consumer<byte[], byte[]> consumer;
  private final ReentrantLock lock = new ReentrantLock();
  private volatile boolean closing; // by who has the lock, or gets it

  /** Takes the records. */
  @FunctionalInterface
  interface Taker {
    /** Takes one; returns whether to go on. */
    boolean take(ConsumerRecord<byte[], byte[]> next);
  }

  Reader(Settings settings, Topology topology, Errors errors, String role) {
    this.settings = settings;
    this.topology = topology;
    this.errors = errors;
    this.consumer = settings.reader(role, "earliest");
  }

  String servers() {
    return errors.servers();
  }

  /** Does something under the lock of this reader, so that what it has read is kept in order. */
  <T> T locked(String what, Question<T> question) throws MessagingException {
    try {
      if (!lock.tryLock(settings.requestTimeout().toMillis(), TimeUnit.MILLISECONDS)) {
        throw new BrokerAwayException(
            what + ": another question to Kafka at " + errors.servers()
                + " took longer than requestTimeout " + settings.requestTimeout(),
            null,
            false);
      }
    } catch (InterruptedException e) {
      throw errors.of(e, what, false);
    }
    try {
      if (closing) {
        throw KafkaLink.ended();
      }
      return question.ask();
    } catch (KafkaException e) {
      throw errors.of(e, what, false);
    } finally {
      lock.unlock();
      if (closing && lock.tryLock()) {
        closeConsumer(Duration.ZERO);
      }
    }
  }

  /** What is asked under the lock. */
  @FunctionalInterface
  interface Question<T> {
    T ask() throws MessagingException;
  }

  /** How far a topic of one partition was read, and which topic that was; under the lock. */
  static final class Mark {
    private final TopicPartition partition;
    private long next;
    private @Nullable Uuid id;

    Mark(TopicPartition partition) {
      this.partition = partition;
    }

    long next() {
      return next;
    }

    /** Takes notice that this record was read. */
    void passed(ConsumerRecord<?, ?> read) {
      next = Math.max(next, read.offset() + 1);
    }

    /** Begins again; a topic that was not known before may have any id. */
    void forget() {
      next = 0;
      id = null;
    }

    /** Returns whether what was read is gone with its topic: the one of today is another. */
    boolean isOfAnother(TopicDescription now) {
      return TopicId.differ(id, now.topicId());
    }

    void isOf(TopicDescription now) {
      id = now.topicId();
    }
  }

  /**
   * Reads to the present end; under the lock.
   *
   * @param forget called if the topic was deleted and made again, or has lost its end: then all is
   *     read from the beginning
   */
  void readOn(Mark mark, Taker taker, Runnable forget, String what) throws MessagingException {
    String topic = mark.partition.topic();
    TopicDescription now = topology.awaitKnown(topic, what);
    if (mark.isOfAnother(now) || (mark.next > 0 && endOf(mark.partition) < mark.next)) {
      mark.forget();
      forget.run();
    }
    mark.isOf(now);
    mark.next = Math.max(mark.next, read(mark.partition, mark.next, taker));
  }

  /** Reads to the present end, and returns the place after it; under the lock. */
  long read(TopicPartition partition, long from, Taker taker) throws MessagingException {
    long end = endOf(partition);
    return from >= end ? from : readAll(Map.of(partition, from), Map.of(partition, end), taker);
  }

  /**
   * Reads several partitions; under the lock.
   *
   * @param from where to begin, for each
   * @param ends where to end, for each
   * @return where to begin the next time; of use with one partition only
   */
  long readAll(Map<TopicPartition, Long> from, Map<TopicPartition, Long> ends, Taker taker)
      throws MessagingException {
    long deadline = System.nanoTime() + settings.requestTimeout().toNanos();
    if (!consumer.assignment().equals(from.keySet())) {
      consumer.assign(from.keySet());
    }
    from.forEach(consumer::seek);
    long next = 0;
    List<TopicPartition> open = new ArrayList<>(from.keySet());
    while (true) {
      open.removeIf(each -> consumer.position(each) >= ends.getOrDefault(each, 0L));
      if (open.isEmpty()) {
        return ends.values().iterator().next();
      }
      for (ConsumerRecord<byte[], byte[]> each : consumer.poll(POLL)) {
        next = each.offset() + 1;
        if (next <= ends.getOrDefault(partitionOf(each), 0L) && !taker.take(each)) {
          return next;
        }
      }
      if (System.nanoTime() - deadline > 0) {
        throw new BrokerAwayException(
            "Kafka at " + errors.servers() + " did not deliver " + open + " within requestTimeout "
                + settings.requestTimeout(),
            null,
            false);
      }
    }
  }

  private static TopicPartition partitionOf(ConsumerRecord<?, ?> each) {
    return new TopicPartition(each.topic(), each.partition());
  }

  /** Returns the present end of a partition that exists; under the lock. */
  long endOf(TopicPartition partition) {
    Map<TopicPartition, Long> ends = consumer.endOffsets(List.of(partition));
    Long end = ends.get(partition);
    return end == null ? 0 : end;
  }

  /** Ends; a question that is still under way after this time closes the consumer itself. */
  void close(Duration timeout) {
    closing = true;
    try {
      if (lock.tryLock(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
        closeConsumer(timeout);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      if (lock.tryLock()) {
        closeConsumer(Duration.ZERO);
      }
    }
  }

  /** Closes what may be closed before, and leaves the lock. */
  private void closeConsumer(Duration timeout) {
    boolean interrupted = Thread.interrupted(); // the client's close would give up
    try {
      consumer.close(CloseOptions.timeout(timeout));
    } catch (RuntimeException e) {
      Logs.warn("close", "a reader failed to close", e);
    } finally {
      lock.unlock();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
