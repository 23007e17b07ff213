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

/** How long messages may be, and what is said of one that is longer. */
record MessageLimits(int maxInboundMessageSize, int maxOutboundMessageSize) {
  /** Of what comes and of what goes, unless told otherwise. */
  private static final int USUAL = 4 * 1024 * 1024;

  /** A health service says in so many bytes that it serves, or does not. */
  static final int OF_HEALTH = 2;

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
      Pattern.compile("(?:Decompressed )?gRPC message exceeds maximum size (\\d+)(?:: (-?\\d+))?");

  private static final Pattern OF_MESSAGES =
      Pattern.compile("inbound message |Encountered end-of-stream mid-frame"
          + "|gRPC frame header malformed|Can't decode compressed gRPC message");

  /** Returns those of health and reflection, which reply whatever the others may. */
  MessageLimits forStandardServices() {
    return new MessageLimits(maxInboundMessageSize, Math.max(maxOutboundMessageSize, USUAL));
  }

  /**
   * Returns the message, or one with the same bytes. What can be read but once is read once.
   *
   * @throws io.grpc.StatusRuntimeException if it is too long to be sent
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

  /** As gRPC's own framer has it. */
  private static boolean isOfKnownLength(InputStream message) {
    return message instanceof KnownLength || message instanceof ByteArrayInputStream;
  }

  void checkOutbound(int size) {
    if (size > maxOutboundMessageSize) {
      throw outbound("of " + size).asRuntimeException();
    }
  }

  /**
   * Reads a message that is to be sent, and closes it.
   *
   * @throws io.grpc.StatusRuntimeException if it is too long to be sent
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
   * Returns a message that came, or one with the same bytes; one that no transport has checked may
   * be too long.
   *
   * @throws io.grpc.StatusRuntimeException if it is, or is not what it is said to be
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

  /** Returns the status for a message that could not be turned into bytes or back. */
  static Status failed(String what, Throwable thrown) {
    if (thrown instanceof StatusRuntimeException known) {
      return known.getStatus();
    }
    if (thrown instanceof StatusException known) {
      return known.getStatus();
    }
    return Status.INTERNAL.withDescription(what + ": " + text(thrown)).withCause(thrown);
  }

  /** It is the user's own, and may fail to say what it is. */
  private static String text(Throwable thrown) {
    try {
      return thrown.toString();
    } catch (Throwable speechless) {
      return thrown.getClass().getName();
    }
  }

  /** Returns the status, in our words if gRPC has failed to read a message that came. */
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

  /** gRPC wraps what a decompressor throws at the first bytes, and says nothing of it. */
  private static Status decompressed(Status status) {
    return status.getCause() instanceof RuntimeException wrapper
            && wrapper.getCause() instanceof IOException wrong
        ? unreadable(wrong)
        : status;
  }

  /** Returns the status for a message whose bytes are not what they are said to be. */
  static Status unreadable(IOException wrong) {
    return Status.INTERNAL
        .withDescription("inbound message cannot be decompressed: "
            + (wrong.getMessage() == null ? wrong : wrong.getMessage()))
        .withCause(wrong);
  }

  /** Returns whether it says that a message could not be read, in gRPC's words or ours. */
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
