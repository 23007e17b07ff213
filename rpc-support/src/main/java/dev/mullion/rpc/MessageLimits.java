package dev.mullion.rpc;

import io.grpc.KnownLength;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** How long messages may be, and what is said of one that is longer. */
record MessageLimits(int maxInboundMessageSize, int maxOutboundMessageSize) {
  /** Leaves messages as they are on the wire, so that their size shows. */
  static final MethodDescriptor.Marshaller<InputStream> AS_STREAMS =
      new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(InputStream value) {
          return value;
        }

        @Override
        public InputStream parse(InputStream stream) {
          return stream;
        }
      };

  private static final Pattern GRPC_TEXT =
      Pattern.compile("(?:Decompressed )?gRPC message exceeds maximum size (\\d+)(?:: (\\d+))?");

  /**
   * Returns the message, or one with the same bytes.
   *
   * @throws io.grpc.StatusRuntimeException if it is too long to be sent
   */
  InputStream checkOutbound(InputStream message) {
    try {
      if (message instanceof KnownLength) {
        Status tooLarge = outbound(message.available());
        if (tooLarge != null) {
          throw tooLarge.asRuntimeException();
        }
        return message;
      }
      return measure(message);
    } catch (IOException e) {
      throw Status.INTERNAL
          .withDescription("outbound message cannot be read")
          .withCause(e)
          .asRuntimeException();
    }
  }

  private InputStream measure(InputStream message) throws IOException {
    try (message) {
      byte[] bytes = message.readNBytes(maxOutboundMessageSize);
      if (message.read() >= 0) {
        throw outbound("of more than " + bytes.length).asRuntimeException();
      }
      return new ByteArrayInputStream(bytes);
    }
  }

  /** Returns the status for a message of this size, or null if it may be sent. */
  @Nullable
  Status outbound(long size) {
    return size > maxOutboundMessageSize ? outbound("of " + size) : null;
  }

  /** Throws for a message that no transport has checked. */
  void checkInbound(InputStream message) throws IOException {
    if (message instanceof KnownLength && message.available() > maxInboundMessageSize) {
      throw inbound("of " + message.available()).asRuntimeException();
    }
  }

  /** Returns the status, in our words if it is gRPC's of an inbound message that is too long. */
  Status reworded(Status status) {
    String text = status.getDescription();
    if (status.getCode() != Status.Code.RESOURCE_EXHAUSTED || text == null) {
      return status;
    }
    Matcher known = GRPC_TEXT.matcher(text);
    if (!known.matches() || !known.group(1).equals(String.valueOf(maxInboundMessageSize))) {
      return status;
    }
    String size = known.group(2);
    return inbound(size == null ? "of more than " + maxInboundMessageSize : "of " + size);
  }

  private Status inbound(String size) {
    return tooLarge("inbound message " + size, "maxInboundMessageSize", maxInboundMessageSize);
  }

  private Status outbound(String size) {
    return tooLarge("outbound message " + size, "maxOutboundMessageSize", maxOutboundMessageSize);
  }

  private static Status tooLarge(String message, String setting, int limit) {
    return Status.RESOURCE_EXHAUSTED.withDescription(
        message + " bytes exceeds " + setting + " " + limit);
  }
}
