package dev.mullion.messaging.kafka;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.MessagingException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/** Reads partitions from a given place to their present end. One caller at a time. */
final class Reader {
  private static final Duration POLL = Duration.ofMillis(50);

  private final Settings settings;
  private final Errors errors;
  private final Consumer<byte[], byte[]> consumer;
  private final ReentrantLock lock = new ReentrantLock();

  /** Takes the records. */
  @FunctionalInterface
  interface Taker {
    /** Takes one; returns whether to go on. */
    boolean take(ConsumerRecord<byte[], byte[]> next);
  }

  Reader(Settings settings, Errors errors, String role) {
    this.settings = settings;
    this.errors = errors;
    this.consumer = settings.reader(role, "earliest");
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
      return question.ask();
    } catch (KafkaException e) {
      throw errors.of(e, what, false);
    } finally {
      lock.unlock();
    }
  }

  /** What is asked under the lock. */
  @FunctionalInterface
  interface Question<T> {
    T ask() throws MessagingException;
  }

  /**
   * Reads to the present end, and returns the place for the next time; under the lock.
   *
   * @param forget called if the end is before that place, since the topic was deleted and made
   *     again: then all is read from the beginning
   */
  long readOn(TopicPartition partition, long from, Taker taker, Runnable forget)
      throws MessagingException {
    if (endOf(partition) >= from) {
      return read(partition, from, taker);
    }
    forget.run();
    return read(partition, 0, taker);
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

  void close(Duration timeout) {
    try {
      if (lock.tryLock(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
        try {
          consumer.close(CloseOptions.timeout(timeout));
        } finally {
          lock.unlock();
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      Logs.warn("close", "a reader failed to close", e);
    }
  }
}
