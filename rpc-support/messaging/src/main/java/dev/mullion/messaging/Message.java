package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A payload and what is known about it. Immutable: the {@code with...} methods return copies. The
 * payload itself is not copied, so a mutable payload must not be changed after it was sent.
 *
 * <p>It is a class and not a record because an id is only created when it is asked for: what stays
 * in the process mostly needs none.
 *
 * @param <T> the payload's type
 */
public final class Message<T> {
  private static final String INSTANCE = Long.toHexString(new SecureRandom().nextLong()) + '-';
  private static final AtomicLong COUNT = new AtomicLong();
  private static final int MOST_DIGITS = Long.SIZE / 4;
  private static final VarHandle NUMBER;

  static {
    try {
      NUMBER = MethodHandles.lookup().findVarHandle(Message.class, "number", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final T payload;
  private final @Nullable String givenId; // null: made of INSTANCE and number

  @SuppressWarnings("unused") // by NUMBER
  private long number; // 0 until it is first asked for

  private final long millis;
  private final @Nullable String key;
  private final @Nullable String contentType;
  private final @Nullable String correlationId;
  private final Map<String, String> headers;
  private final @Nullable Duration timeToLive;

  private Message(
      T payload,
      @Nullable String givenId,
      long number,
      long millis,
      @Nullable String key,
      @Nullable String contentType,
      @Nullable String correlationId,
      Map<String, String> headers,
      @Nullable Duration timeToLive) {
    this.payload = payload;
    this.givenId = givenId;
    this.number = number;
    this.millis = millis;
    this.key = key;
    this.contentType = contentType;
    this.correlationId = correlationId;
    this.headers = headers;
    this.timeToLive = timeToLive;
  }

  /**
   * Returns a message with a new id and the present time.
   *
   * @throws IllegalArgumentException if the payload is itself a message
   */
  public static <T> Message<T> of(T payload) {
    requireNonNull(payload, "payload");
    if (payload instanceof Message) {
      throw new IllegalArgumentException(
          "payload: a Message (expected: no message; methods such as pushMessage take one)");
    }
    return new Message<>(
        payload,
        null,
        0,
        SystemClock.INSTANCE.coarseTimeMillis(),
        null,
        null,
        null,
        Map.of(),
        null);
  }

  /**
   * Returns the id: unique, given by the sender, and the same at every delivery. Handlers that must
   * not work twice compare it.
   */
  public String id() {
    return givenId != null ? givenId : INSTANCE + Long.toHexString(number());
  }

  /** Returns what its id is made of, the same for its copies; 0 if it has a given one. */
  private long number() {
    long known = (long) NUMBER.getVolatile(this);
    if (known != 0 || givenId != null) {
      return known;
    }
    long next = COUNT.incrementAndGet();
    long other = (long) NUMBER.compareAndExchange(this, 0L, next);
    return other == 0 ? next : other;
  }

  /** Returns the payload. */
  public T payload() {
    return payload;
  }

  /** Returns the key: messages of one key keep their order where the engine promises it. */
  public Optional<String> key() {
    return Optional.ofNullable(key);
  }

  /** Returns the headers, unmodifiable, in the order in which they were added. */
  public Map<String, String> headers() {
    return headers;
  }

  /** Returns one header. */
  public Optional<String> header(String name) {
    return Optional.ofNullable(headers.get(name));
  }

  /** Returns the payload's media type; the address's codec sets it when the message is sent. */
  public Optional<String> contentType() {
    return Optional.ofNullable(contentType);
  }

  /** Returns the correlation id; a reply without one gets the id of its request. */
  public Optional<String> correlationId() {
    return Optional.ofNullable(correlationId);
  }

  /** Returns when the message was created, to the millisecond, or nearly so in a burst of them. */
  public Instant timestamp() {
    return Instant.ofEpochMilli(millis);
  }

  /** Returns how long the message is worth delivering; empty for no limit. */
  public Optional<Duration> timeToLive() {
    return Optional.ofNullable(timeToLive);
  }

  /** Returns a copy with this id. */
  public Message<T> withId(String id) {
    return new Message<>(
        payload,
        requireNonNull(id, "id"),
        0,
        millis,
        key,
        contentType,
        correlationId,
        headers,
        timeToLive);
  }

  /** Returns a copy with this key. */
  public Message<T> withKey(String key) {
    requireNonNull(key, "key");
    return new Message<>(
        payload, givenId, number(), millis, key, contentType, correlationId, headers, timeToLive);
  }

  /** Returns a copy with this media type. */
  public Message<T> withContentType(String contentType) {
    requireNonNull(contentType, "contentType");
    return new Message<>(
        payload, givenId, number(), millis, key, contentType, correlationId, headers, timeToLive);
  }

  /** Returns a copy with this correlation id. */
  public Message<T> withCorrelationId(String correlationId) {
    requireNonNull(correlationId, "correlationId");
    return new Message<>(
        payload, givenId, number(), millis, key, contentType, correlationId, headers, timeToLive);
  }

  /** Returns a copy with this header added or replaced. */
  public Message<T> withHeader(String name, String value) {
    return withHeaders(Map.of(requireNonNull(name, "name"), requireNonNull(value, "value")));
  }

  /** Returns a copy with these headers added or replaced. */
  public Message<T> withHeaders(Map<String, String> added) {
    Map<String, String> all = new LinkedHashMap<>(headers);
    added.forEach(
        (name, value) -> all.put(requireNonNull(name, "name"), requireNonNull(value, "value")));
    return new Message<>(
        payload,
        givenId,
        number(),
        millis,
        key,
        contentType,
        correlationId,
        Collections.unmodifiableMap(all),
        timeToLive);
  }

  /** Returns a copy with this time; engines rebuild a message that was sent with it. */
  public Message<T> withTimestamp(Instant timestamp) {
    return new Message<>(
        payload,
        givenId,
        number(),
        timestamp.toEpochMilli(),
        key,
        contentType,
        correlationId,
        headers,
        timeToLive);
  }

  /**
   * Returns a copy that is worth delivering for this long after it was sent. In a queue it then
   * becomes a dead letter, with the reason {@code EXPIRED}, at the latest when a worker would get
   * it; elsewhere it is dropped and counted.
   */
  public Message<T> withTimeToLive(Duration timeToLive) {
    Arguments.positive(timeToLive, "timeToLive");
    return new Message<>(
        payload, givenId, number(), millis, key, contentType, correlationId, headers, timeToLive);
  }

  /** Returns a copy with another payload, of the same id. */
  @SuppressWarnings("unchecked") // the same payload: this message is one of its type
  public <U> Message<U> withPayload(U payload) {
    requireNonNull(payload, "payload");
    if (payload == this.payload) {
      return (Message<U>) this;
    }
    return new Message<>(
        payload, givenId, number(), millis, key, contentType, correlationId, headers, timeToLive);
  }

  /** Returns the message as engines take it, with the codec's media type unless it has one. */
  Message<byte[]> encoded(byte[] bytes, MessageCodec<?> codec) {
    String type = contentType == null ? codec.contentType() : contentType;
    return new Message<>(
        bytes, givenId, number(), millis, key, type, correlationId, headers, timeToLive);
  }

  /** Returns a new message as engines take it, of a payload that was just encoded. */
  static Message<byte[]> encoded(byte[] bytes, String contentType) {
    return new Message<>(
        bytes,
        null,
        0,
        SystemClock.INSTANCE.coarseTimeMillis(),
        null,
        contentType,
        null,
        Map.of(),
        null);
  }

  /** Returns whether engines need not treat it in a way of its own: no key, no time to live. */
  boolean isPlain() {
    return key == null && timeToLive == null;
  }

  /** Returns the length of the id if {@link #id} would make it, else 0; makes none. */
  int generatedIdLength() {
    int digits = (Long.SIZE - Long.numberOfLeadingZeros(number()) + 3) / 4;
    return givenId != null ? 0 : INSTANCE.length() + digits;
  }

  /** Returns a bound of the bytes of all but the payload, quickly: a char has three in UTF-8. */
  long mostBesidePayload() {
    long chars = (givenId == null ? INSTANCE.length() + MOST_DIGITS : givenId.length())
        + length(key)
        + length(contentType)
        + length(correlationId);
    return headers.isEmpty() ? 3 * chars : Integer.MAX_VALUE;
  }

  private static long length(@Nullable String text) {
    return text == null ? 0 : text.length();
  }

  /** Returns what identifies the message and its payload's class, never the payload itself. */
  @Override
  public String toString() {
    return "Message " + id() + " (" + payload.getClass().getSimpleName() + ")";
  }
}
