package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import dev.mullion.messaging.MessageTooLargeException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A message on its way to the broker, until that has confirmed it.
 *
 * <p>A copy of a message that is held here is written only as long as that is so: after that the
 * broker has the original again.
 */
final class Publication {
  final String exchange;
  final String routingKey;
  final byte[] body;
  final boolean mandatory;
  final @Nullable BooleanSupplier held;

  final Lane.Kind lane;

  final long since = System.nanoTime();
  final CompletableFuture<@Nullable Void> done = new CompletableFuture<>();
  private final Wire.Outgoing message;
  private final BasicProperties properties;
  private @Nullable BasicProperties repeated;

  /** Written by the publisher's thread. */
  volatile int attempts;

  /** Its place in the order of all; set once, when it is published. */
  long order;

  /** What it was with on a channel that the broker has closed, for this one or another. */
  volatile @Nullable Unconfirmed refusedWith;

  /** When it was written last; written by the publisher's thread. */
  volatile long written;

  /** The broker that it was written to last; written by the publisher's thread. */
  volatile String where = "";

  /** The broker had no queue for it. */
  volatile boolean returned;

  private Publication(
      String exchange,
      String routingKey,
      Wire.Outgoing message,
      boolean mandatory,
      @Nullable BooleanSupplier held,
      Lane.Kind lane) {
    this.exchange = exchange;
    this.routingKey = routingKey;
    this.message = message;
    this.properties = message.build();
    this.body = message.body;
    this.mandatory = mandatory;
    this.held = held;
    this.lane = lane;
  }

  static Publication toTopic(String exchange, String topic, Wire.Outgoing message) {
    return new Publication(exchange, topic, message, false, null, Lane.Kind.PUBLISHING);
  }

  static Publication toQueue(String queue, Wire.Outgoing message) {
    return new Publication("", queue, message, true, null, Lane.Kind.PUBLISHING);
  }

  static Publication toSubject(String queue, Wire.Outgoing message) {
    return new Publication("", queue, message, true, null, Lane.Kind.REQUESTS);
  }

  /** Returns a reply to a request that is held. */
  static Publication reply(String to, Wire.Outgoing message, BooleanSupplier held) {
    return new Publication("", to, message, false, held, Lane.Kind.PUBLISHING);
  }

  /** Returns a copy of what is held. */
  static Publication copy(String queue, Wire.Outgoing message, BooleanSupplier held) {
    return new Publication("", queue, message, true, held, Lane.Kind.PUBLISHING);
  }

  /** Returns a copy of what is held, for a delay queue. */
  static Publication delayed(String queue, Wire.Outgoing message, BooleanSupplier held) {
    return new Publication("", queue, message, true, held, Lane.Kind.DELAYS);
  }

  /** Returns whether it is a copy. */
  boolean isCopy() {
    return held != null;
  }

  /** Returns whether it is a copy of what the broker has again. */
  boolean isCopyOfLost() {
    return held != null && !held.getAsBoolean();
  }

  /** Returns whether it is a request, which is never repeated. */
  boolean isRequest() {
    return lane == Lane.Kind.REQUESTS;
  }

  /** Counts an attempt; called by the publisher's thread only. */
  @SuppressWarnings("NonAtomicVolatileUpdate") // one thread writes
  void attempted() {
    if (refusedWith != null && !mayBeCause()) {
      refusedWith = null;
      notAttempted(); // the last one was behind the cause
    }
    attempts++;
    returned = false; // the queue may be there now
    written = System.nanoTime();
  }

  /** Takes an attempt back that the broker cannot have taken. */
  @SuppressWarnings("NonAtomicVolatileUpdate") // one thread writes
  void notAttempted() {
    attempts--;
  }

  /** Returns whether it may be the one for which the broker has closed a channel. */
  boolean mayBeCause() {
    Unconfirmed with = refusedWith;
    return with != null && !with.isCauseFound();
  }

  /** Clears those that were behind it. */
  void foundAsCause() {
    Unconfirmed with = refusedWith;
    if (with != null) {
      with.causeFound();
    }
  }

  /** Checks that its headers fit into a frame, and later those of its copies. */
  void check(int frameMax, String where) throws MessageTooLargeException {
    this.where = where;
    int most = frameMax == 0 ? Integer.MAX_VALUE : frameMax;
    String problem =
        message.problem(held == null ? most - Math.min(Wire.ROOM_FOR_COPIES, most / 2) : most);
    if (problem != null) {
      throw new MessageTooLargeException(
          problem + " (publish to " + address() + ", broker " + where + ")");
    }
  }

  /** Returns the properties; from the second attempt on, they say so. */
  BasicProperties properties() {
    if (attempts <= 1) {
      return properties;
    }
    BasicProperties again = repeated;
    if (again == null) {
      Map<String, Object> headers = new LinkedHashMap<>(Wire.headers(properties));
      headers.put(Wire.REPEATED, true);
      again = properties.builder().headers(headers).build();
      repeated = again;
    }
    return again;
  }

  /** Returns where it goes, for messages. */
  String address() {
    return exchange.isEmpty() ? "queue " + routingKey : "topic " + routingKey;
  }

  boolean hasId(@Nullable String id) {
    String own = properties.getMessageId();
    return own == null ? id == null : own.equals(id);
  }
}
