package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.Optional;

/**
 * Rich details of an error, such as a {@code google.rpc.BadRequest}, that a server sends with the
 * status. They travel in the trailer {@code grpc-status-details-bin}, which gRPC's other languages
 * read and write too.
 */
public final class ErrorDetails {
  private ErrorDetails() {}

  /** Returns an exception with the status's code and description, and these details. */
  public static StatusRuntimeException exception(Status status, Message... details) {
    String description = requireNonNull(status, "status").getDescription();
    com.google.rpc.Status.Builder rich = com.google.rpc.Status.newBuilder()
        .setCode(status.getCode().value())
        .setMessage(description == null ? "" : description);
    for (Message detail : details) {
      rich.addDetails(Any.pack(detail));
    }
    return StatusProto.toStatusRuntimeException(rich.build());
  }

  /**
   * Returns the first detail of a type that a {@link StatusRuntimeException} or {@link
   * StatusException}, or one of its causes, carries. The result is empty if there is none, or if it
   * cannot be read.
   */
  public static <T extends Message> Optional<T> find(Throwable error, Class<T> type) {
    requireNonNull(type, "type");
    com.google.rpc.Status rich = StatusProto.fromThrowable(requireNonNull(error, "error"));
    if (rich == null) {
      return Optional.empty();
    }
    for (Any detail : rich.getDetailsList()) {
      if (detail.is(type)) {
        return unpack(detail, type);
      }
    }
    return Optional.empty();
  }

  private static <T extends Message> Optional<T> unpack(Any detail, Class<T> type) {
    try {
      return Optional.of(detail.unpack(type));
    } catch (InvalidProtocolBufferException corrupt) {
      return Optional.empty();
    }
  }
}
