package dev.mullion.messaging.grpc;

import com.google.protobuf.UnsafeByteOperations;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.grpc.v1.Header;
import dev.mullion.net.base.Check;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Messages and durations on the wire. */
final class WireMessages {
  /** The greatest size of id, key, content type and correlation id together. */
  private static final int MOST_LABELS = 64 * 1024;

  private WireMessages() {}

  /** Returns the message on the wire; its payload is not copied, since nobody may change it. */
  static dev.mullion.messaging.grpc.v1.Message of(Message<byte[]> message) {
    var wire = dev.mullion.messaging.grpc.v1.Message.newBuilder()
        .setPayload(UnsafeByteOperations.unsafeWrap(message.payload()))
        .setId(message.id())
        .setTimestampMillis(message.timestamp().toEpochMilli());
    message.key().ifPresent(wire::setKey);
    message.contentType().ifPresent(wire::setContentType);
    message.correlationId().ifPresent(wire::setCorrelationId);
    message.timeToLive().ifPresent(time -> wire.setTimeToLive(of(time)));
    for (Map.Entry<String, String> header : message.headers().entrySet()) {
      wire.addHeaders(Header.newBuilder().setName(header.getKey()).setValue(header.getValue()));
    }
    return wire.build();
  }

  /** Returns the message; what a client may leave out is filled in. */
  static Message<byte[]> from(dev.mullion.messaging.grpc.v1.Message wire) {
    Message<byte[]> message = Message.of(wire.getPayload().toByteArray());
    if (!wire.getId().isEmpty()) {
      message = message.withId(wire.getId());
    }
    if (wire.getTimestampMillis() != 0) {
      message = message.withTimestamp(Instant.ofEpochMilli(wire.getTimestampMillis()));
    }
    if (wire.hasKey()) {
      message = message.withKey(wire.getKey());
    }
    if (wire.hasContentType()) {
      message = message.withContentType(wire.getContentType());
    }
    if (wire.hasCorrelationId()) {
      message = message.withCorrelationId(wire.getCorrelationId());
    }
    if (wire.hasTimeToLive()) {
      message = message.withTimeToLive(from(wire.getTimeToLive()));
    }
    return wire.getHeadersCount() == 0 ? message : message.withHeaders(headers(wire));
  }

  private static Map<String, String> headers(dev.mullion.messaging.grpc.v1.Message wire) {
    Map<String, String> headers = new LinkedHashMap<>();
    wire.getHeadersList().forEach(each -> headers.put(each.getName(), each.getValue()));
    return headers;
  }

  /** Returns the size that {@code maxMessageSize} limits; what is encoded for it stays encoded. */
  static long size(dev.mullion.messaging.grpc.v1.Message wire) {
    long size = wire.getPayload().size();
    for (Header header : wire.getHeadersList()) {
      size += header.getNameBytes().size() + header.getValueBytes().size();
    }
    return size;
  }

  /** Returns the size of what names and describes a message, which has a bound of its own. */
  private static long labels(dev.mullion.messaging.grpc.v1.Message wire) {
    return (long) wire.getIdBytes().size()
        + wire.getKeyBytes().size()
        + wire.getContentTypeBytes().size()
        + wire.getCorrelationIdBytes().size();
  }

  /**
   * Returns why a message is too large for others to receive it, or null if it is not.
   *
   * @param maxMessageSize the server's
   */
  static @Nullable String tooLarge(dev.mullion.messaging.grpc.v1.Message wire, int maxMessageSize) {
    long size = size(wire);
    if (size > maxMessageSize) {
      return size + " bytes exceeds maxMessageSize " + maxMessageSize + " of the server";
    }
    long labels = labels(wire);
    return labels <= MOST_LABELS
        ? null
        : labels + " bytes of id, key, content type and correlation id (expected: <= " + MOST_LABELS
            + ")";
  }

  static com.google.protobuf.Duration of(Duration time) {
    return com.google.protobuf.Duration.newBuilder()
        .setSeconds(time.getSeconds())
        .setNanos(time.getNano())
        .build();
  }

  /**
   * Returns the duration.
   *
   * @throws IllegalArgumentException if there is none so long
   */
  static Duration from(com.google.protobuf.Duration time) {
    try {
      return Duration.ofSeconds(time.getSeconds(), time.getNanos());
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          "duration: " + time.getSeconds() + " s and " + time.getNanos()
              + " ns (expected: seconds of 64 bits in all)",
          e);
    }
  }

  /** Returns the nanoseconds, at most those of 73 years: so that later times can be compared. */
  static long nanos(Duration time) {
    return Math.min(Check.nanos(time), Long.MAX_VALUE / 4);
  }
}
