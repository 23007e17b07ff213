package dev.mullion.messaging;

import dev.mullion.messaging.Store.Job;
import dev.mullion.messaging.Store.Stored;
import dev.mullion.messaging.Store.StoredLetter;
import dev.mullion.messaging.Store.StoredQueue;
import dev.mullion.messaging.StoreRecord.Reader;
import dev.mullion.messaging.StoreRecord.Writer;
import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** How queues, jobs, messages and dead letters become bytes; enums are kept by name. */
final class StoreCodec {
  private static final int TEXTS = 160; // guess of a message's size besides its payload

  private StoreCodec() {}

  static byte[] encode(Route.Queue queue) {
    Redelivery redelivery = queue.redelivery();
    return new Writer(TEXTS)
        .put(queue.name())
        .putOptional(queue.source().orElse(null))
        .put(redelivery.maxDeliveries())
        .put(redelivery.delay())
        .put(Double.doubleToLongBits(redelivery.multiplier()))
        .put(redelivery.maxDelay())
        .put(queue.handlerTimeout())
        .putByte(queue.ordered() ? 1 : 0)
        .put(queue.capacity())
        .put(queue.capacityBytes())
        .put(queue.overflow().name())
        .put(queue.maxDeadLetters())
        .put(queue.deadLetterAge())
        .end();
  }

  static StoredQueue queue(int number, byte[] bytes) {
    Reader in = new Reader(bytes);
    return new StoredQueue(
        number,
        new Route.Queue(
            in.readString(),
            Optional.ofNullable(in.readOptional()),
            new Redelivery(
                in.readInt(),
                in.readDuration(),
                Double.longBitsToDouble(in.readLong()),
                in.readDuration()),
            in.readDuration(),
            in.readByte() != 0,
            in.readLong(),
            in.readLong(),
            Overflow.valueOf(in.readString()),
            in.readInt(),
            in.readDuration()));
  }

  static byte[] encode(Job job) {
    String key = job.key();
    return new Writer(32 + (key == null ? 0 : 3 * key.length()))
        .put(job.failures())
        .put(job.losses())
        .put(job.dueMillis())
        .put(job.expiresMillis())
        .put(job.bytes())
        .putOptional(key)
        .end();
  }

  static Job job(long number, byte[] bytes) {
    Reader in = new Reader(bytes);
    return new Job(
        number,
        in.readInt(),
        in.readInt(),
        in.readLong(),
        in.readLong(),
        in.readInt(),
        in.readOptional());
  }

  static byte[] encode(String address, Message<byte[]> message) {
    Writer out = new Writer(message.payload().length + TEXTS).put(address);
    return put(out, message).end();
  }

  static Stored stored(byte[] bytes) {
    Reader in = new Reader(bytes);
    return new Stored(in.readString(), message(in));
  }

  static byte[] encode(String address, DeadLetter letter) {
    return letter(
        letter.queue(),
        letter.reason(),
        letter.error(),
        letter.deliveryCount(),
        letter.died(),
        encode(address, letter.original()));
  }

  /** Makes a dead letter of a message that is encoded already. */
  static byte[] letter(String queue, StoreEdit.Bury bury, byte[] message) {
    return letter(queue, bury.reason(), bury.error(), bury.deliveryCount(), bury.died(), message);
  }

  private static byte[] letter(
      String queue,
      DeadLetter.Reason reason,
      String error,
      int deliveryCount,
      Instant died,
      byte[] message) {
    return new Writer(message.length + TEXTS)
        .put(queue)
        .put(reason.name())
        .put(error)
        .put(deliveryCount)
        .put(Duration.between(Instant.EPOCH, died))
        .put(message)
        .end();
  }

  static StoredLetter letter(byte[] bytes) {
    Reader in = new Reader(bytes);
    String queue = in.readString();
    DeadLetter.Reason reason = DeadLetter.Reason.valueOf(in.readString());
    String error = in.readString();
    int deliveryCount = in.readInt();
    Instant died = Instant.EPOCH.plus(in.readDuration());
    Stored stored = stored(in.readBytes());
    return new StoredLetter(
        stored.address(),
        new DeadLetter(stored.message(), queue, reason, error, deliveryCount, died));
  }

  private static Writer put(Writer out, Message<byte[]> message) {
    out.put(message.id())
        .put(message.timestamp().toEpochMilli())
        .putOptional(message.key().orElse(null))
        .putOptional(message.contentType().orElse(null))
        .putOptional(message.correlationId().orElse(null));
    Optional<Duration> timeToLive = message.timeToLive();
    out.putByte(timeToLive.isPresent() ? 1 : 0);
    if (timeToLive.isPresent()) {
      out.put(timeToLive.get());
    }
    out.put(message.headers().size());
    for (Map.Entry<String, String> header : message.headers().entrySet()) {
      out.put(header.getKey()).put(header.getValue());
    }
    return out.put(message.payload());
  }

  private static Message<byte[]> message(Reader in) {
    String id = in.readString();
    Instant timestamp = Instant.ofEpochMilli(in.readLong());
    @Nullable String key = in.readOptional();
    @Nullable String contentType = in.readOptional();
    @Nullable String correlationId = in.readOptional();
    @Nullable Duration timeToLive = in.readByte() == 0 ? null : in.readDuration();
    Map<String, String> headers = headers(in);
    Message<byte[]> message = Message.of(in.readBytes()).withId(id).withTimestamp(timestamp);
    message = key == null ? message : message.withKey(key);
    message = contentType == null ? message : message.withContentType(contentType);
    message = correlationId == null ? message : message.withCorrelationId(correlationId);
    message = timeToLive == null ? message : message.withTimeToLive(timeToLive);
    return headers.isEmpty() ? message : message.withHeaders(headers);
  }

  private static Map<String, String> headers(Reader in) {
    int count = in.readInt();
    if (count == 0) {
      return Map.of();
    }
    Map<String, String> headers = new LinkedHashMap<>();
    for (int i = 0; i < count; i++) {
      headers.put(in.readString(), in.readString());
    }
    return headers;
  }
}
