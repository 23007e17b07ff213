package dev.mullion.messaging.kafka;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * The messages of one partition of an ordered queue, from when they are fetched until they are
 * settled: one of a key at a time, the oldest first. Used by its worker's thread only.
 */
final class OrderedPartition {
  private final TopicPartition place;
  private final SortedMap<Long, Tries> known; // of messages that are not fetched yet
  private final TreeMap<Long, Job> jobs = new TreeMap<>();
  private long begin; // before it only what is known is open
  private long end;
  private long fetched; // the last
  private int out;
  private boolean changed;
  private boolean leaving;
  private long due = Long.MAX_VALUE;

  private static final class Job {
    final ConsumerRecord<byte[], byte[]> record;
    final @Nullable String key;
    Tries tries;

    @Nullable
    OrderedDelivery delivery; // while it is handed out

    Job(ConsumerRecord<byte[], byte[]> record, Tries tries) {
      this.record = record;
      this.key = Records.key(record);
      this.tries = tries;
    }
  }

  /** Continues from what was committed: what was handed out then is lost. */
  OrderedPartition(TopicPartition place, Progress committed) {
    this.place = place;
    this.begin = committed.end();
    this.end = committed.end();
    this.fetched = committed.offset() - 1;
    this.known = new TreeMap<>(committed.open());
    known.replaceAll((offset, tries) -> tries.out() ? tries.lost() : tries);
  }

  TopicPartition place() {
    return place;
  }

  /** Takes what was fetched; returns the deliveries that are lost, if the log has lost its end. */
  List<OrderedDelivery> add(ConsumerRecord<byte[], byte[]> next) {
    long offset = next.offset();
    List<OrderedDelivery> lost = offset <= fetched ? goBack(offset) : List.of();
    fetched = offset;
    known.headMap(offset).clear(); // deleted by somebody
    Tries tries = known.remove(offset);
    if (tries != null) {
      jobs.put(offset, new Job(next, tries));
    } else if (offset >= begin) {
      jobs.put(offset, new Job(next, Tries.NONE));
    }
    return lost;
  }

  /**
   * Goes back, since the log has lost its end: a machine crashed, or a replica that was behind
   * became the leader. New messages have the offsets of old ones, so all from there on are open.
   * Returns the deliveries that are lost.
   */
  List<OrderedDelivery> goBack(long offset) {
    Logs.warn(
        "log",
        place + " has lost its end, or was deleted and made again: from offset " + offset
            + " messages may be delivered again",
        null);
    SortedMap<Long, Job> gone = jobs.tailMap(offset);
    List<OrderedDelivery> lost = lose(gone);
    out -= lost.size();
    gone.clear();
    known.tailMap(offset).clear();
    begin = Math.min(begin, offset);
    end = Math.min(end, offset);
    fetched = offset - 1;
    changed = true;
    return lost;
  }

  /** Returns whether there is enough to choose from. */
  boolean isFull() {
    return jobs.size() >= Progress.MOST_OPEN;
  }

  /** Returns how many messages are handed out. */
  int out() {
    return out;
  }

  /** Hands out no more: the partition is to be another worker's. */
  void leave() {
    leaving = true;
  }

  /** Returns when the first delay ends that {@link #next} has seen, in milliseconds since 1970. */
  long due() {
    return due;
  }

  /** Returns the place of the next message to be handed out; -1 if there is none. */
  long next(long now) {
    due = Long.MAX_VALUE;
    if (leaving) {
      return -1;
    }
    Set<String> taken = new HashSet<>();
    int seen = 0;
    for (Map.Entry<Long, Job> each : jobs.entrySet()) {
      if (++seen > Progress.MOST_OPEN) {
        break;
      }
      Job job = each.getValue();
      boolean first = job.key == null || taken.add(job.key);
      if (first && job.delivery == null) {
        if (job.tries.due() <= now) {
          return each.getKey();
        }
        due = Math.min(due, job.tries.due());
      }
    }
    return -1;
  }

  /** Returns whether a message may have killed its worker. */
  boolean isSuspect(long offset) {
    return job(offset).tries.losses() > 0;
  }

  private Job job(long offset) {
    Job job = jobs.get(offset);
    if (job == null) {
      throw new IllegalArgumentException("no message at " + place + '-' + offset);
    }
    return job;
  }

  OrderedDelivery handOut(long offset, OrderedDelivery.Owner owner) {
    Job job = job(offset);
    OrderedDelivery delivery = new OrderedDelivery(owner, place, job.record, job.tries);
    job.delivery = delivery;
    job.tries = job.tries.handedOut();
    end = Math.max(end, offset + 1);
    out++;
    changed = true;
    return delivery;
  }

  /** Applies what became of a delivery: null if it is settled; false if it is no longer here. */
  boolean settle(OrderedDelivery delivery, @Nullable Tries then) {
    Job job = jobs.get(delivery.offset());
    if (job == null || job.delivery != delivery) {
      return false;
    }
    job.delivery = null;
    out--;
    changed = true;
    if (then == null) {
      jobs.remove(delivery.offset());
    } else {
      job.tries = then;
    }
    return true;
  }

  boolean isChanged() {
    return changed;
  }

  void committed() {
    changed = false;
  }

  OffsetAndMetadata progress() {
    SortedMap<Long, Tries> open = new TreeMap<>(known);
    jobs.headMap(end).forEach((offset, job) -> open.put(offset, job.tries));
    return new Progress(end, open).encode();
  }

  /** Answers those that are handed out, and returns them: their outcome comes too late. */
  List<OrderedDelivery> lose() {
    return lose(jobs);
  }

  private static List<OrderedDelivery> lose(Map<Long, Job> jobs) {
    List<OrderedDelivery> lost = new ArrayList<>();
    for (Job job : jobs.values()) {
      if (job.delivery != null) {
        job.delivery.lost();
        lost.add(job.delivery);
      }
    }
    return lost;
  }
}
