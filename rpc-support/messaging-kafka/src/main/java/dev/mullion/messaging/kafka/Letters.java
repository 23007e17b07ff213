package dev.mullion.messaging.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.DeadLetters;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Route;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Predicate;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Headers;
import org.jspecify.annotations.Nullable;

/**
 * The dead letters of one queue, in a compacted topic. A letter's key is where its message was at
 * first and the message's id, so each can be deleted. A message that was duplicated by a death
 * between its copy and its acknowledgement may die twice: its second letter replaces the first. The
 * message's key and time are headers. What is kept in memory is where the letters are.
 */
final class Letters implements DeadLetters {
  static final String REASON = Records.OWN + "reason";
  static final String ERROR = Records.OWN + "error";
  static final String DELIVERIES = Records.OWN + "deliveries";
  static final String KEY = Records.OWN + "key";

  private static final int PAGE = 100;

  private final KafkaLink link;
  private final Route.Queue queue;
  private final TopicPartition partition;
  private final LongAdder dropped = new LongAdder();
  private final AtomicBoolean trimming = new AtomicBoolean();

  // Guarded by the reader's lock.
  private final TreeMap<Long, Place> places = new TreeMap<>();
  private final Map<String, Long> offsets = new HashMap<>();
  private final Reader.Mark mark;

  private record Place(String key, long died) {}

  /** A letter with its key. */
  private record Found(long offset, String key, ConsumerRecord<byte[], byte[]> letter) {}

  /** Is told what became of a dead letter. */
  @FunctionalInterface
  interface Buried {
    /** Takes null if it is safe, on a thread that must not be held up. */
    void buried(@Nullable Throwable failure);
  }

  Letters(KafkaLink link, Route.Queue queue) {
    this.link = link;
    this.queue = queue;
    this.partition = new TopicPartition(link.names().dead(queue), 0);
    this.mark = new Reader.Mark(partition);
  }

  /** Returns whether these have that declaration's bounds. */
  boolean isOf(Route.Queue declared) {
    return queue.equals(declared);
  }

  long dropped() {
    return dropped.sum();
  }

  /**
   * Returns how many calls a message has had that is buried after these failures and losses. A
   * delivery above the limit was not a call: it was only found to be one too many.
   */
  int deliveries(int before) {
    return Math.min(before + 1, queue.redelivery().maxDeliveries());
  }

  /**
   * Makes a dead letter of a record.
   *
   * @param done told once all replicas have it
   */
  void bury(
      ConsumerRecord<byte[], byte[]> from,
      Message<byte[]> message,
      DeadLetter.Reason reason,
      String error,
      int deliveries,
      Buried done) {
    ProducerRecord<byte[], byte[]> letter = new ProducerRecord<>(
        partition.topic(),
        0,
        System.currentTimeMillis(),
        (Records.origin(from) + '#' + message.id()).getBytes(UTF_8),
        from.value() == null ? new byte[0] : from.value(),
        from.headers());
    Headers headers = letter.headers();
    Records.set(headers, Records.ID, message.id());
    Records.set(headers, Records.TIMESTAMP, "" + message.timestamp().toEpochMilli());
    Records.set(headers, REASON, reason.name());
    Records.set(headers, ERROR, Records.bounded(error));
    Records.set(headers, DELIVERIES, Integer.toString(deliveries));
    if (from.key() != null) {
      headers.add(KEY, from.key());
    }
    link.sender().send(letter, (offset, failure) -> {
      if (failure == null) {
        trimLater();
      } else if (Errors.isForEver(failure)) {
        drop(from, failure);
      } else {
        done.buried(failure);
        return;
      }
      done.buried(null);
    });
  }

  /** Drops what no topic of the queue accepts, so that the messages behind it go on. */
  private void drop(ConsumerRecord<byte[], byte[]> from, Throwable why) {
    dropped.increment();
    Logs.warn("dropped", Records.place(from) + " is dropped: it cannot be a dead letter", why);
  }

  /** Makes a dead letter of a record whose copy can never be sent; see {@link #bury}. */
  void buryWithoutCopy(
      ConsumerRecord<byte[], byte[]> from, Throwable why, int deliveries, Buried done) {
    bury(
        from,
        new Envelope(from.headers()).message(from),
        DeadLetter.Reason.OVERFLOW,
        "no topic of the queue takes its copy: " + why.getMessage(),
        deliveries,
        done);
  }

  private void trimLater() {
    if (trimming.compareAndSet(false, true)) {
      String what = "the bound of dead letters of " + queue.id();
      link.background(() -> {
            trimming.set(false);
            return live(what);
          })
          .whenComplete((live, error) -> {
            if (error != null) {
              link.failing(what, error);
            }
          });
    }
  }

  @Override
  public CompletionStage<Long> count() {
    return link.background(
        () -> (long) live("the number of dead letters of " + queue.id()).size());
  }

  TopicPartition partition() {
    return partition;
  }

  /** Returns how far they were read; under the reader's lock. */
  Reader.Mark mark() {
    return mark;
  }

  /** Returns how many are known; under the reader's lock. */
  long known() {
    return places.size();
  }

  /** Reads on and drops what is too old or too much; returns the places of the others. */
  private NavigableMap<Long, Place> live(String what) throws MessagingException {
    List<String> drop = new ArrayList<>();
    TreeMap<Long, Place> live = new TreeMap<>();
    link.letterReader().locked(what, () -> {
      link.letterReader().readOn(mark, this::take, this::forget, what);
      long oldest = System.currentTimeMillis() - Records.millis(queue.deadLetterAge());
      while (!places.isEmpty()
          && (places.size() > queue.maxDeadLetters()
              || places.firstEntry().getValue().died < oldest)) {
        Place place = places.pollFirstEntry().getValue();
        offsets.remove(place.key);
        drop.add(place.key);
      }
      live.putAll(places);
      return true;
    });
    for (String key : drop) {
      dropped.increment();
      delete(key, what);
    }
    return live;
  }

  /** Forgets all, since the topic was deleted; under the reader's lock. */
  void forget() {
    places.clear();
    offsets.clear();
    mark.forget();
  }

  /** Takes notice of a letter, or of its deletion; under the reader's lock. */
  boolean take(ConsumerRecord<byte[], byte[]> letter) {
    mark.passed(letter);
    if (letter.key() == null) {
      return true;
    }
    String key = new String(letter.key(), UTF_8);
    Long known = offsets.remove(key);
    if (known != null) {
      places.remove(known);
    }
    if (letter.value() != null) {
      offsets.put(key, letter.offset());
      places.put(letter.offset(), new Place(key, letter.timestamp()));
    }
    return true;
  }

  private void delete(String key, String what) throws MessagingException {
    link.sender()
        .sendNow(new ProducerRecord<>(partition.topic(), 0, key.getBytes(UTF_8), null), what);
  }

  @Override
  public CompletionStage<List<DeadLetter>> peek(int max) {
    return link.background(() -> {
      String what = "a peek at the dead letters of " + queue.id();
      List<DeadLetter> letters = new ArrayList<>();
      page(live(what), Math.max(0, max), what).forEach(each -> letters.add(letter(each.letter)));
      return letters;
    });
  }

  /** Returns the first of these letters. */
  private List<Found> page(NavigableMap<Long, Place> live, int max, String what)
      throws MessagingException {
    List<Found> found = new ArrayList<>();
    if (live.isEmpty() || max == 0) {
      return found;
    }
    link.letterReader()
        .locked(
            what,
            () -> link.letterReader().read(partition, live.firstKey(), each -> {
              Place place = live.get(each.offset());
              if (place != null && each.value() != null) {
                found.add(new Found(each.offset(), place.key, each));
              }
              return found.size() < max && each.offset() < live.lastKey();
            }));
    return found;
  }

  private DeadLetter letter(ConsumerRecord<byte[], byte[]> from) {
    Headers headers = from.headers();
    byte[] key =
        headers.lastHeader(KEY) == null ? null : headers.lastHeader(KEY).value();
    String error = Records.text(headers, ERROR);
    return new DeadLetter(
        new Envelope(headers).message(from, key),
        queue.name(),
        reason(Records.text(headers, REASON)),
        error == null ? "" : error,
        Records.count(headers, DELIVERIES),
        Instant.ofEpochMilli(from.timestamp()));
  }

  /** Returns the reason; a letter of another client has none of ours. */
  private static DeadLetter.Reason reason(@Nullable String name) {
    for (DeadLetter.Reason each : DeadLetter.Reason.values()) {
      if (each.name().equals(name)) {
        return each;
      }
    }
    return DeadLetter.Reason.DELIVERY_LIMIT;
  }

  @Override
  public CompletionStage<Long> redrive(int max, Predicate<DeadLetter> which) {
    String what = "the redrive of dead letters of " + queue.id();
    return select(max, which, what, letter -> {
      link.sender().sendNow(redriven(letter), what);
    });
  }

  private ProducerRecord<byte[], byte[]> redriven(ConsumerRecord<byte[], byte[]> letter) {
    Headers from = letter.headers();
    byte[] key = from.lastHeader(KEY) == null ? null : from.lastHeader(KEY).value();
    ProducerRecord<byte[], byte[]> again = new ProducerRecord<>(
        link.names().queue(queue), null, System.currentTimeMillis(), key, letter.value(), from);
    for (String name : List.of(
        REASON,
        ERROR,
        DELIVERIES,
        KEY,
        Records.ORIGIN, // or its next letter would be deleted with this one
        Records.FAILURES,
        Records.LOSSES,
        Records.DUE,
        Records.EXPIRES)) {
      again.headers().remove(name);
    }
    return again;
  }

  @Override
  public CompletionStage<Long> purge(Predicate<DeadLetter> which) {
    String what = "the purge of dead letters of " + queue.id();
    return select(Integer.MAX_VALUE, which, what, letter -> {});
  }

  /** What is done with a letter before it is deleted. */
  @FunctionalInterface
  private interface Action {
    void apply(ConsumerRecord<byte[], byte[]> letter) throws MessagingException;
  }

  private CompletionStage<Long> select(
      int max, Predicate<DeadLetter> which, String what, Action action) {
    return link.background(() -> {
      NavigableMap<Long, Place> rest = live(what);
      long count = 0;
      while (!rest.isEmpty() && count < max) {
        List<Found> page = page(rest, PAGE, what);
        for (Found each : page) {
          if (count < max && which.test(letter(each.letter))) {
            action.apply(each.letter);
            delete(each.key, what);
            count++;
          }
        }
        if (page.isEmpty()) {
          break;
        }
        rest = new TreeMap<>(rest.tailMap(page.get(page.size() - 1).offset, false));
      }
      return count;
    });
  }
}
