package dev.mullion.messaging.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.Route;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * The declarations of all queues and groups, in one compacted topic.
 *
 * <pre>
 *  key                      value
 *  invoices#UUID of A       settings      offset 4: the lowest that is left wins
 *  invoices#UUID of B       settings      offset 5: B reads past its own record, sees A's, and
 *  invoices#UUID of B       none          takes its own back
 * </pre>
 *
 * <p>Each declarer has a key of its own, since compaction keeps the last record of a key and so
 * would drop the winner of a shared one.
 */
final class Declarations {
  private final Reader reader;
  private final Sender sender;
  private final TopicPartition partition;

  // Guarded by the reader's lock, as all below.
  private final Map<String, TreeMap<Long, Declared>> all = new HashMap<>();
  private final Reader.Mark mark;

  /** @param since when it was written, in milliseconds since 1970 by the clock of its declarer */
  private record Declared(String key, Route.Queue queue, long since) {}

  Declarations(Reader reader, Sender sender, String topic) {
    this.reader = reader;
    this.sender = sender;
    this.partition = new TopicPartition(topic, 0);
    this.mark = new Reader.Mark(partition);
  }

  /**
   * Declares a queue. A declaration that replaces another one keeps its time.
   *
   * @return whether this call has declared it; false if it was declared before
   */
  boolean declare(Route.Queue queue, Declaration declaration) throws MessagingException {
    String what = "the declaration of " + queue.id();
    return reader.locked(what, () -> {
      readOn();
      Declared known = winner(queue.id());
      if (known != null && known.queue.equals(queue)) {
        return false;
      }
      if (known != null && declaration == Declaration.CHECK) {
        throw QueueText.conflict(queue, known.queue, reader.servers());
      }
      String key = queue.id() + '#' + UUID.randomUUID();
      Long since = known == null ? null : known.since;
      long own = sender.sendNow(entry(key, QueueText.encode(queue), since), what);
      readOn();
      if (declaration == Declaration.CHECK) {
        return isFirst(queue, key, own, what);
      }
      deleteBefore(own, queue, what);
      return known == null;
    });
  }

  private void deleteBefore(long own, Route.Queue queue, String what) throws MessagingException {
    for (Declared older : List.copyOf(live(queue.id()).headMap(own).values())) {
      sender.sendNow(entry(older.key, null, null), what);
    }
    readOn();
  }

  private boolean isFirst(Route.Queue queue, String key, long own, String what)
      throws MessagingException {
    NavigableMap<Long, Declared> live = live(queue.id());
    if (live.isEmpty() || live.firstKey() >= own) {
      return true;
    }
    Route.Queue winner = live.firstEntry().getValue().queue;
    sender.sendNow(entry(key, null, null), what);
    if (!winner.equals(queue)) {
      throw QueueText.conflict(queue, winner, reader.servers());
    }
    return false;
  }

  /** Returns all that is declared. */
  List<Route.Queue> all() throws MessagingException {
    return reader.locked("the list of queues", () -> {
      readOn();
      List<Route.Queue> queues = new ArrayList<>();
      for (TreeMap<Long, Declared> live : all.values()) {
        if (!live.isEmpty()) {
          queues.add(live.firstEntry().getValue().queue);
        }
      }
      return queues;
    });
  }

  /** Returns the declaration of a queue; null if there is none. */
  Route.@Nullable Queue find(String id) throws MessagingException {
    return read(id).map(Declared::queue).orElse(null);
  }

  /** Returns when a queue was declared, in milliseconds since 1970; 0 if it is not declared. */
  long since(String id) throws MessagingException {
    return read(id).map(Declared::since).orElse(0L);
  }

  private Optional<Declared> read(String id) throws MessagingException {
    return reader.locked("the declaration of " + id, () -> {
      readOn();
      return Optional.ofNullable(winner(id));
    });
  }

  /** Deletes a declaration, with all that lost against it. */
  void delete(String id) throws MessagingException {
    String what = "the deletion of " + id;
    reader.locked(what, () -> {
      readOn();
      for (Declared each : List.copyOf(live(id).values())) {
        sender.sendNow(entry(each.key, null, null), what);
      }
      readOn();
      return true;
    });
  }

  private ProducerRecord<byte[], byte[]> entry(
      String key, byte @Nullable [] value, @Nullable Long time) {
    return new ProducerRecord<>(partition.topic(), 0, time, key.getBytes(UTF_8), value);
  }

  private NavigableMap<Long, Declared> live(String id) {
    return all.computeIfAbsent(id, key -> new TreeMap<>());
  }

  private @Nullable Declared winner(String id) {
    TreeMap<Long, Declared> live = all.get(id);
    return live == null || live.isEmpty() ? null : live.firstEntry().getValue();
  }

  private void readOn() throws MessagingException {
    reader.readOn(mark, this::take, all::clear, "the declarations");
  }

  /** Reads all again the next time, since the topic was made just now. */
  void forget() throws MessagingException {
    reader.locked("the declarations", () -> {
      all.clear();
      mark.forget();
      return true;
    });
  }

  private boolean take(ConsumerRecord<byte[], byte[]> entry) {
    if (entry.key() == null) {
      return true;
    }
    String key = new String(entry.key(), UTF_8);
    int end = key.lastIndexOf('#');
    if (end < 0) {
      return true;
    }
    NavigableMap<Long, Declared> live = live(key.substring(0, end));
    live.values().removeIf(each -> each.key.equals(key));
    if (entry.value() == null) {
      if (live.isEmpty()) {
        all.remove(key.substring(0, end));
      }
      return true;
    }
    try {
      live.put(
          entry.offset(), new Declared(key, QueueText.decode(entry.value()), entry.timestamp()));
    } catch (IllegalArgumentException e) { // of a newer version, or not ours
      Logs.warn("declaration", "the declaration " + key + " cannot be read", e);
    }
    return true;
  }
}
