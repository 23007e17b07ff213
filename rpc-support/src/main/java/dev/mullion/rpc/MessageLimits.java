package dev.mullion.rpc;

import io.grpc.KnownLength;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The size limits of messages, and the statuses for messages that exceed them. */
record MessageLimits(int maxInboundMessageSize, int maxOutboundMessageSize) {
  /** The default for inbound and outbound messages. */
  private static final int USUAL = 4 * 1024 * 1024;

  /** The size in bytes of a health service's reply. */
  static final int OF_HEALTH = 2;

  /** Leaves messages in their wire form, so that their size is known. */
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
      Pattern.compile("(?:Decompressed )?gRPC message exceeds maximum size (\\d+)(?:: (-?\\d+))?");

  private static final Pattern OF_MESSAGES =
      Pattern.compile("inbound message |Encountered end-of-stream mid-frame"
          + "|gRPC frame header malformed|Can't decode compressed gRPC message");

  /** Returns the limits for health and reflection, which may always send the default size. */
  MessageLimits forStandardServices() {
    return new MessageLimits(maxInboundMessageSize, Math.max(maxOutboundMessageSize, USUAL));
  }

  /**
   * Returns the message, or one with the same bytes. A stream that can be read only once is read
   * only once.
   *
   * @throws io.grpc.StatusRuntimeException if the message exceeds the limit
   */
  InputStream checkOutbound(InputStream message) throws IOException {
    if (!isOfKnownLength(message)) {
      return WholeMessage.of(bytes(message)).stream();
    }
    try {
      checkOutbound(message.available());
      return message;
    } catch (Throwable refused) {
      message.close();
      throw refused;
    }
  }

  /** The same test as in gRPC's own framer. */
  private static boolean isOfKnownLength(InputStream message) {
    return message instanceof KnownLength || message instanceof ByteArrayInputStream;
  }

  void checkOutbound(int size) {
    if (size > maxOutboundMessageSize) {
      throw outbound("of " + size).asRuntimeException();
    }
  }

  /**
   * Reads an outbound message, and closes it.
   *
   * @throws io.grpc.StatusRuntimeException if the message exceeds the limit
   */
  byte[] bytes(InputStream message) throws IOException {
    try (message) {
      if (isOfKnownLength(message)) {
        checkOutbound(message.available());
      }
      byte[] bytes = message.readNBytes(maxOutboundMessageSize);
      if (message.read() >= 0) {
        throw outbound("of more than " + bytes.length).asRuntimeException();
      }
      return bytes;
    }
  }

  /**
   * Returns an inbound message, or one with the same bytes. If no transport has checked it, it may
   * be too large.
   *
   * @throws io.grpc.StatusRuntimeException if the message exceeds the limit, or cannot be
   *     decompressed
   */
  InputStream inbound(InputStream message) {
    try {
      if (message instanceof KnownLength) {
        if (message.available() > maxInboundMessageSize) {
          throw inbound("of " + message.available()).asRuntimeException();
        }
        return message;
      }
      byte[] bytes = message.readNBytes(maxInboundMessageSize);
      if (message.read() >= 0) {
        throw inbound("of more than " + bytes.length).asRuntimeException();
      }
      return WholeMessage.of(bytes).stream();
    } catch (IOException e) {
      throw unreadable(e).asRuntimeException();
    }
  }

  /** Returns the status for a message that could not be serialized or parsed. */
  static Status failed(String what, Throwable thrown) {
    if (thrown instanceof StatusRuntimeException known) {
      return known.getStatus();
    }
    if (thrown instanceof StatusException known) {
      return known.getStatus();
    }
    return Status.INTERNAL.withDescription(what + ": " + text(thrown)).withCause(thrown);
  }

  /** The exception is the user's, and its {@code toString} may throw. */
  private static String text(Throwable thrown) {
    try {
      return thrown.toString();
    } catch (Throwable unprintable) {
      return thrown.getClass().getName();
    }
  }

  /** Returns the status, reworded if gRPC failed to read an inbound message. */
  Status reworded(Status status) {
    String text = status.getDescription();
    if (text == null) {
      return status.getCode() == Status.Code.UNKNOWN ? decompressed(status) : status;
    }
    if (status.getCode() != Status.Code.RESOURCE_EXHAUSTED) {
      return status;
    }
    Matcher known = GRPC_TEXT.matcher(text);
    if (!known.matches() || !known.group(1).equals(String.valueOf(maxInboundMessageSize))) {
      return status;
    }
    String size = known.group(2);
    return inbound(
        size == null
            ? "of more than " + maxInboundMessageSize
            // The length on the wire has no sign.
            : "of " + Integer.toUnsignedString(Integer.parseInt(size)));
  }

  /** gRPC wraps the exception of a decompressor at the first bytes, without a description. */
  private static Status decompressed(Status status) {
    return status.getCause() instanceof RuntimeException wrapper
            && wrapper.getCause() instanceof IOException wrong
        ? unreadable(wrong)
        : status;
  }

  /** Returns the status for a message that cannot be decompressed. */
  static Status unreadable(IOException wrong) {
    return Status.INTERNAL
        .withDescription("inbound message cannot be decompressed: "
            + (wrong.getMessage() == null ? wrong : wrong.getMessage()))
        .withCause(wrong);
  }

  /** Returns whether the status means that a message could not be read, in gRPC's words or ours. */
  static boolean isOfMessage(Status status) {
    return status.getCode() == Status.Code.RESOURCE_EXHAUSTED
        || (status.getCode() == Status.Code.INTERNAL
            && OF_MESSAGES.matcher(String.valueOf(status.getDescription())).lookingAt());
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
