package dev.mullion.messaging.kafka;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;

/**
 * Copies records to a queue: those of a topic to a group, and those that wait in retry topics when
 * they are due. All movers of a queue are one consumer group, so each record has one mover. It
 * commits what all replicas have a copy of; a death before that makes duplicates. A topic that was
 * deleted and made again is read from its beginning. While the queue's topic is missing, nothing is
 * read.
 */
final class Mover implements Runnable {
  private static final long LONGEST_POLL = 100;
  private static final Duration POLL_INTERVAL = Duration.ofMinutes(5);
  private static final Duration CLOSE = Duration.ofSeconds(2);

  /** What is done with a record. */
  interface Plan {
    /** Returns when it is due, in milliseconds since 1970; 0 for at once. */
    long due(ConsumerRecord<byte[], byte[]> from);

    /** Returns the copy; null if there is none. */
    @Nullable
    ProducerRecord<byte[], byte[]> copy(ConsumerRecord<byte[], byte[]> from);

    /** Takes a record whose copy can never be sent. */
    void refused(ConsumerRecord<byte[], byte[]> from, Throwable why, Letters.Buried done);
  }

  private final KafkaLink link;
  private final String group;
  private final List<String> topics;
  private final String target;
  private final Plan plan;
  private final GroupOffsets offsets;
  private final Thread thread;
  private final Map<TopicPartition, Long> paused = new HashMap<>(); // until when
  private final Map<String, Uuid> ids = new HashMap<>(); // of the topics that are read
  private volatile boolean stopping;

  /** Creates a mover to the queue's topic {@code target}. */
  Mover(KafkaLink link, String group, List<String> topics, String target, Plan plan) {
    this.link = link;
    this.group = group;
    this.topics = topics;
    this.target = target;
    this.plan = plan;
    this.offsets = new GroupOffsets(link.known(), link.settings().requestTimeout());
    this.thread = new Thread(this, "mullion-kafka-" + group);
    thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  @Override
  public void run() {
    while (!stopping) {
      try (Consumer<byte[], byte[]> consumer = link.settings().member(group, POLL_INTERVAL)) {
        paused.clear();
        ids.clear();
        try {
          consumer.subscribe(topics, new Begin(consumer));
          while (!stopping && !isAnother()) {
            if (link.known().isMissing(target)) {
              pause();
            } else {
              move(consumer, consumer.poll(Duration.ofMillis(untilDue())));
              resume(consumer);
            }
          }
        } finally {
          consumer.close(CloseOptions.timeout(CLOSE));
        }
      } catch (Throwable e) { // of the client, or no copy: begins again at what is committed
        if (!stopping) {
          link.failing(group, e);
          pause();
        }
      }
    }
  }

  /** Returns whether a topic was made again, so that positions in it mean nothing. */
  private boolean isAnother() {
    for (Map.Entry<String, Uuid> each : ids.entrySet()) {
      if (link.known().isAnother(each.getKey(), each.getValue())) {
        return true;
      }
    }
    return false;
  }

  private void pause() {
    try {
      TimeUnit.MILLISECONDS.sleep(LONGEST_POLL);
    } catch (InterruptedException e) {
      stopping = true;
    }
  }

  private long untilDue() {
    long least = LONGEST_POLL;
    long now = System.currentTimeMillis();
    for (long due : paused.values()) {
      least = Math.min(least, Math.max(1, due - now));
    }
    return least;
  }

  private void move(Consumer<byte[], byte[]> consumer, ConsumerRecords<byte[], byte[]> records)
      throws MoveFailedException {
    Map<TopicPartition, OffsetAndMetadata> moved = new HashMap<>();
    List<CompletableFuture<Void>> copies = new ArrayList<>();
    long now = System.currentTimeMillis();
    for (TopicPartition partition : records.partitions()) {
      for (ConsumerRecord<byte[], byte[]> each : records.records(partition)) {
        long due = plan.due(each);
        if (due > now) {
          consumer.seek(partition, each.offset());
          consumer.pause(List.of(partition));
          paused.put(partition, due);
          break;
        }
        ProducerRecord<byte[], byte[]> copy = plan.copy(each);
        if (copy != null) {
          copies.add(send(each, copy));
        }
        OffsetAndMetadata next = new OffsetAndMetadata(each.offset() + 1);
        moved.put(partition, TopicId.with(next, ids.get(partition.topic())));
      }
    }
    await(copies);
    if (!moved.isEmpty()) {
      offsets.commit(consumer, moved, ids);
    }
  }

  private CompletableFuture<Void> send(
      ConsumerRecord<byte[], byte[]> from, ProducerRecord<byte[], byte[]> copy) {
    CompletableFuture<Void> done = new CompletableFuture<>();
    link.sender().send(copy, (offset, error) -> {
      if (error != null && Errors.isForEver(error)) {
        plan.refused(from, error, failed -> complete(done, failed));
      } else {
        complete(done, error);
      }
    });
    return done;
  }

  private static void complete(CompletableFuture<Void> one, @Nullable Throwable error) {
    if (error == null) {
      one.complete(null);
    } else {
      one.completeExceptionally(error);
    }
  }

  private void await(List<CompletableFuture<Void>> copies) throws MoveFailedException {
    try {
      CompletableFuture.allOf(copies.toArray(new CompletableFuture<?>[0]))
          .get(2 * link.settings().deliveryTimeout().toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException | TimeoutException e) {
      throw new MoveFailedException(e);
    } catch (InterruptedException e) {
      stopping = true;
      throw new MoveFailedException(e);
    }
  }

  private void resume(Consumer<byte[], byte[]> consumer) {
    long now = System.currentTimeMillis();
    paused.keySet().retainAll(consumer.assignment());
    paused.entrySet().removeIf(entry -> {
      boolean due = entry.getValue() <= now;
      if (due) {
        consumer.resume(List.of(entry.getKey()));
      }
      return due;
    });
  }

  /** Moves nothing further. */
  void stop() {
    stopping = true;
  }

  /** Waits for the end of a mover that was stopped. */
  void awaitEnd() throws InterruptedException {
    thread.join(CLOSE.toMillis());
    if (thread.isAlive()) {
      thread.interrupt();
    }
  }

  /** Reads a topic from its beginning that was made again since offsets of it were committed. */
  private final class Begin implements ConsumerRebalanceListener {
    private final Consumer<byte[], byte[]> member;

    Begin(Consumer<byte[], byte[]> member) {
      this.member = member;
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> assigned) {
      if (assigned.isEmpty()) {
        return;
      }
      Map<TopicPartition, OffsetAndMetadata> committed =
          offsets.committed(member, Set.copyOf(assigned));
      link.topology().idsOf(assigned, group).forEach(ids::putIfAbsent);
      for (TopicPartition each : assigned) {
        if (TopicId.isOfAnother(committed.get(each), ids.get(each.topic()))) {
          Logs.warn("log", each + " was deleted and made again: reads it from its beginning", null);
          member.seekToBeginning(List.of(each));
        }
      }
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> revoked) {}
  }

  /** A copy did not arrive. */
  private static final class MoveFailedException extends Exception {
    private static final long serialVersionUID = 1L;

    MoveFailedException(Throwable cause) {
      super("a copy did not arrive: " + Errors.cause(cause), cause);
    }
  }
}
