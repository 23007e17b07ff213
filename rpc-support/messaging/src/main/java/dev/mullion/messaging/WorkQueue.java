package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * An address of push-pull, with what belongs to the queue and not to a worker. Brokers fix these
 * settings when a queue is first declared, by a sender or by a worker, so both use the same value.
 * A group of a topic is a work queue too: {@link Topic#group}.
 *
 * <pre>{@code
 * static final WorkQueue<String> INVOICES = WorkQueue.builder("invoices", Codecs.utf8())
 *     .redelivery(Redelivery.constant(3, Duration.ofSeconds(5)))
 *     .capacity(100_000)
 *     .build();
 * }</pre>
 *
 * @param <T> the payload's type
 */
public final class WorkQueue<T> {
  private final MessageCodec<T> codec;
  private final @Nullable Topic<T> source;
  private final Route.Queue route;

  private WorkQueue(Builder<T> builder, Route.Queue route) {
    this.codec = builder.codec;
    this.source = builder.source;
    this.route = route;
  }

  /** Returns a queue with the defaults. */
  public static <T> WorkQueue<T> of(String name, MessageCodec<T> codec) {
    return builder(name, codec).build();
  }

  /** Returns a builder with the defaults. */
  public static <T> Builder<T> builder(String name, MessageCodec<T> codec) {
    return new Builder<>(name, codec, null);
  }

  static <T> Builder<T> fedBy(Topic<T> topic, String group) {
    return new Builder<>(group, topic.codec(), topic);
  }

  /** Returns the queue's name, or the group's. */
  public String name() {
    return route.name();
  }

  /** Returns the codec of its payloads. */
  public MessageCodec<T> codec() {
    return codec;
  }

  /** Returns the topic that feeds this queue, if it is a group: nothing else is pushed to it. */
  public Optional<Topic<T>> source() {
    return Optional.ofNullable(source);
  }

  /** Returns how often and how soon a failed message is delivered again. */
  public Redelivery redelivery() {
    return route.redelivery();
  }

  /** Returns how long a handler may take. */
  public Duration handlerTimeout() {
    return route.handlerTimeout();
  }

  /** Returns whether messages of one key are handled one at a time, in order. */
  public boolean ordered() {
    return route.ordered();
  }

  /** Returns the greatest number of waiting messages; 0 for no bound. */
  public long capacity() {
    return route.capacity();
  }

  /** Returns the greatest number of waiting payload bytes; 0 for no bound. */
  public long capacityBytes() {
    return route.capacityBytes();
  }

  /** Returns what happens to a message for which there is no room. */
  public Overflow overflow() {
    return route.overflow();
  }

  /** Returns the greatest number of dead letters. */
  public int maxDeadLetters() {
    return route.maxDeadLetters();
  }

  /** Returns how long a dead letter is kept. */
  public Duration deadLetterAge() {
    return route.deadLetterAge();
  }

  /** Returns a builder with this queue's settings. */
  public Builder<T> toBuilder() {
    Builder<T> copy = new Builder<>(name(), codec, source);
    copy.redelivery = redelivery();
    copy.handlerTimeout = handlerTimeout();
    copy.ordered = ordered();
    copy.capacity = capacity();
    copy.capacityBytes = capacityBytes();
    copy.overflow = overflow();
    copy.maxDeadLetters = maxDeadLetters();
    copy.deadLetterAge = deadLetterAge();
    return copy;
  }

  Route.Queue route() {
    return route;
  }

  /** Returns the queue's name, or the group's with its topic. */
  @Override
  public String toString() {
    return source == null ? name() : name() + " of " + source.name();
  }

  /**
   * The settings of a queue.
   *
   * @param <T> the payload's type
   */
  public static final class Builder<T> {
    private final String name;
    private final MessageCodec<T> codec;
    private final @Nullable Topic<T> source;
    private Redelivery redelivery = Redelivery.defaults();
    private Duration handlerTimeout = Duration.ofSeconds(30);
    private boolean ordered;
    private long capacity;
    private long capacityBytes;
    private @Nullable Overflow overflow;
    private int maxDeadLetters = 10_000;
    private Duration deadLetterAge = Duration.ofDays(14);

    private Builder(String name, MessageCodec<T> codec, @Nullable Topic<T> source) {
      this.name = Names.checkName("name", name);
      this.codec = requireNonNull(codec, "codec");
      this.source = source;
    }

    /** Sets how often and how soon a failed message is delivered again: five times by default. */
    public Builder<T> redelivery(Redelivery redelivery) {
      this.redelivery = requireNonNull(redelivery, "redelivery");
      return this;
    }

    /**
     * Sets how long a handler may take before its message counts as failed: 30 s by default. The
     * time begins when the handler is called.
     */
    public Builder<T> handlerTimeout(Duration handlerTimeout) {
      this.handlerTimeout = Arguments.positive(handlerTimeout, "handlerTimeout");
      return this;
    }

    /**
     * Sets whether messages of one key are handled one at a time, in the order in which they were
     * pushed: false by default. A failure and its delay hold back that key, and no other. Messages
     * without a key are not ordered.
     */
    public Builder<T> ordered(boolean ordered) {
      this.ordered = ordered;
      return this;
    }

    /** Sets the greatest number of waiting messages: 0 by default, for no bound. */
    public Builder<T> capacity(long capacity) {
      this.capacity = Arguments.atLeast(capacity, 0, "capacity");
      return this;
    }

    /** Sets the greatest number of waiting payload bytes: 0 by default, for no bound. */
    public Builder<T> capacityBytes(long capacityBytes) {
      this.capacityBytes = Arguments.atLeast(capacityBytes, 0, "capacityBytes");
      return this;
    }

    /**
     * Sets what happens to a message for which there is no room: {@code BLOCK} by default. A full
     * group never stops the publishers of its topic: for groups, only the two that drop are
     * allowed, and {@code DROP_OLDEST} is the default.
     */
    public Builder<T> overflow(Overflow overflow) {
      this.overflow = requireNonNull(overflow, "overflow");
      return this;
    }

    /** Sets the greatest number of dead letters: 10,000 by default. The oldest are dropped. */
    public Builder<T> maxDeadLetters(int maxDeadLetters) {
      this.maxDeadLetters = (int) Arguments.atLeast(maxDeadLetters, 1, "maxDeadLetters");
      return this;
    }

    /** Sets how long a dead letter is kept: 14 days by default. */
    public Builder<T> deadLetterAge(Duration deadLetterAge) {
      this.deadLetterAge = Arguments.positive(deadLetterAge, "deadLetterAge");
      return this;
    }

    /**
     * Returns the queue.
     *
     * @throws IllegalStateException if it is a group whose overflow would stop publishers
     */
    public WorkQueue<T> build() {
      Overflow policy = overflow;
      if (policy == null) {
        policy = source == null ? Overflow.BLOCK : Overflow.DROP_OLDEST;
      } else if (source != null && (policy == Overflow.BLOCK || policy == Overflow.FAIL)) {
        throw new IllegalStateException("overflow: " + policy + " (expected: DROP_OLDEST or"
            + " DROP_NEWEST, since " + name + " is a group of " + source.name()
            + " and must not stop its publishers)");
      }
      return new WorkQueue<>(
          this,
          new Route.Queue(
              name,
              Optional.ofNullable(source).map(Topic::name),
              redelivery,
              handlerTimeout,
              ordered,
              capacity,
              capacityBytes,
              policy,
              maxDeadLetters,
              deadLetterAge));
    }
  }
}
