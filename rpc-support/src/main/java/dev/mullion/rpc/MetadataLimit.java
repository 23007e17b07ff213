package dev.mullion.rpc;

import dev.mullion.net.base.Check;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.netty.handler.codec.http2.Http2Exception;

/**
 * Refuses calls with too much metadata, and says so. The transport ends such a call with the status
 * of HTTP alone, and far above its limit the whole connection: its limit is higher, and there for
 * memory.
 */
record MetadataLimit(int maxInboundMetadataSize) implements ServerInterceptor {
  private static final int LEAST_OF_TRANSPORT = 64 * 1024;

  /** What gRPC itself sends with each call and reply, in all languages, must fit into it. */
  private static final int LEAST = 512;

  static int checked(int maxInboundMetadataSize) {
    return Check.within(maxInboundMetadataSize, LEAST, Integer.MAX_VALUE, "maxInboundMetadataSize");
  }

  /** Returns how much the transport should take. */
  static int ofTransport(int maxInboundMetadataSize) {
    long several = 4L * maxInboundMetadataSize;
    return (int) Math.min(Integer.MAX_VALUE, Math.max(LEAST_OF_TRANSPORT, several));
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    long size = LastWord.size(headers);
    if (size <= maxInboundMetadataSize) {
      return next.startCall(call, headers);
    }
    call.close(inbound(size, maxInboundMetadataSize), new Metadata());
    return new ServerCall.Listener<>() {};
  }

  static Status inbound(long size, int maxInboundMetadataSize) {
    return Status.RESOURCE_EXHAUSTED.withDescription("inbound metadata of "
        + size
        + " bytes exceeds maxInboundMetadataSize "
        + maxInboundMetadataSize);
  }

  /**
   * Returns what a channel takes of the end of a call. Of an error code and text stay, and what is
   * said beside them is left out if it is too much.
   */
  static LastWord taken(Status status, Metadata trailers, int maxInboundMetadataSize) {
    long size = LastWord.size(trailers);
    if (size <= maxInboundMetadataSize) {
      return new LastWord(explained(status), trailers);
    }
    Status tooMuch = inbound(size, maxInboundMetadataSize);
    return new LastWord(
        status.isOk()
            ? tooMuch
            : status.augmentDescription("left out: trailers, " + tooMuch.getDescription()),
        new Metadata());
  }

  /** The transport knows what the other side takes, and fails a call before it is sent. */
  private static Status explained(Status status) {
    return status.getCause() instanceof Http2Exception.HeaderListSizeException tooMuch
        ? Status.RESOURCE_EXHAUSTED
            .withDescription((tooMuch.duringDecode()
                    ? "inbound metadata exceeds what the transport takes: "
                    : "outbound metadata exceeds what the server takes: ")
                + tooMuch.getMessage())
            .withCause(tooMuch)
        : status;
  }
}
