package dev.mullion.messaging;

import java.time.Duration;
import java.util.Collections;
import java.util.Set;
import java.util.TreeSet;

/**
 * What an engine promises for one pattern. The table in the README is compared with these values,
 * and the suite in {@code messaging-tck} proves them.
 *
 * @param pattern the pattern
 * @param delivery how often a message that was accepted is delivered
 * @param order the order in which messages are handled
 * @param durability when a message is safe: what must fail for it to be lost after its future has
 *     completed
 * @param ifSenderDies what is lost of what was accepted, if the sender's process dies
 * @param ifReceiverDies what is lost if a receiver's process dies
 * @param ifEngineDies what is lost if the engine's process dies
 * @param giveBack whether a message that is returned unhandled uses up one of its deliveries
 * @param capacity how exactly a queue's capacity is kept
 * @param overflows the policies that the engine supports where something is full
 * @param wildcards which patterns of topics can be subscribed to
 * @param leastDelay the least delay of a redelivery that is kept; shorter ones may take this long
 * @param orderedQueues whether queues can be ordered by key
 * @param extendable whether a handler can extend its time
 * @param knowsNobodyListens whether a request or signal without a receiver fails at once
 * @param heldBack what waits behind a message of an ordered queue that failed, until it succeeds
 */
public record Guarantees(
    Pattern pattern,
    DeliveryPromise delivery,
    Order order,
    Durability durability,
    Loss ifSenderDies,
    Loss ifReceiverDies,
    Loss ifEngineDies,
    GiveBack giveBack,
    Capacity capacity,
    Set<Overflow> overflows,
    Wildcards wildcards,
    Duration leastDelay,
    boolean orderedQueues,
    boolean extendable,
    boolean knowsNobodyListens,
    HeldBack heldBack) {

  /** Copies the set; messages and tables show it in the order of {@link Overflow}. */
  public Guarantees {
    overflows = Collections.unmodifiableSet(new TreeSet<>(overflows));
  }

  /** The patterns. Groups of topics are work queues: their row is that of {@code PUSH_PULL}. */
  public enum Pattern {
    /** {@code request} and {@code reply}. */
    REQUEST_REPLY,
    /** {@code publish} and {@code subscribe}. */
    PUBLISH_SUBSCRIBE,
    /** {@code push} and {@code pull}, and {@code publish} and {@code pull} for a group. */
    PUSH_PULL,
    /** {@code send} and {@code receive}. */
    FIRE_AND_FORGET
  }

  /** How often a message is delivered. */
  public enum DeliveryPromise {
    /** Once or not at all. */
    AT_MOST_ONCE,
    /** Once or more often. */
    AT_LEAST_ONCE
  }

  /** The order in which messages are handled, while none fails and nothing reconnects. */
  public enum Order {
    /** None. */
    NONE,
    /** Messages of one key keep their order. */
    PER_KEY,
    /**
     * Messages of one sender keep their order, with one handler at a time; else those of one key.
     */
    PER_SENDER,
    /** All messages of an address keep one order. */
    TOTAL
  }

  /** Where an accepted message is kept. */
  public enum Durability {
    /** In the memory of one process. */
    PROCESS,
    /** In the memory of another process or machine. */
    MACHINE,
    /** On disk. */
    DISK,
    /** On several machines. */
    REPLICAS
  }

  /** What is lost of what was accepted. */
  public enum Loss {
    /** Nothing. */
    NOTHING,
    /** What was not delivered. */
    UNDELIVERED,
    /** Everything. */
    EVERYTHING
  }

  /** Whether giving a message back unhandled counts as a delivery. */
  public enum GiveBack {
    /** It does not count. */
    UNCOUNTED,
    /** It counts, and may use up one of {@code maxDeliveries}. */
    COUNTED
  }

  /** How a queue's capacity is kept. */
  public enum Capacity {
    /** Exactly. */
    HARD,
    /** About: more may be accepted under load. */
    SOFT,
    /** Not at all: a queue with a capacity is rejected. */
    NONE
  }

  /** Which patterns can be subscribed to. */
  public enum Wildcards {
    /** None. */
    NONE,
    /** Those whose first word is no wildcard. */
    NOT_FIRST_WORD,
    /** All. */
    ALL
  }

  /** What waits behind a message of an ordered queue that failed. */
  public enum HeldBack {
    /** The messages of its key. */
    KEY,
    /** The whole queue, which is handled one message at a time. */
    QUEUE
  }
}
