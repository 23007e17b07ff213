package dev.mullion.rpc;

import dev.mullion.net.base.Check;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.netty.handler.codec.http2.Http2Exception;

/**
 * Rejects calls with too much metadata, with a descriptive status. The transport would end such a
 * call with a bare HTTP status, and far above its limit the whole connection. So the transport's
 * limit is higher, and only protects memory.
 */
record MetadataLimit(int maxInboundMetadataSize) implements ServerInterceptor {
  private static final int LEAST_OF_TRANSPORT = 64 * 1024;

  /** The metadata that gRPC itself sends with each call and reply, in all languages, must fit. */
  private static final int LEAST = 512;

  static int checked(int maxInboundMetadataSize) {
    return Check.within(maxInboundMetadataSize, LEAST, Integer.MAX_VALUE, "maxInboundMetadataSize");
  }

  /** Returns the limit for the transport. */
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
   * Returns the end of a call within a channel's limit. An error keeps its code and description;
   * its trailers are left out if they are too large.
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

  /**
   * Explains failures of the transport, which knows the peer's limit and fails a call before it is
   * sent.
   */
  private static Status explained(Status status) {
    return status.getCause() instanceof Http2Exception.HeaderListSizeException tooMuch
        ? Status.RESOURCE_EXHAUSTED
            .withDescription((tooMuch.duringDecode()
                    ? "inbound metadata exceeds the transport's limit: "
                    : "outbound metadata exceeds the server's limit: ")
                + tooMuch.getMessage())
            .withCause(tooMuch)
        : status;
  }
}
