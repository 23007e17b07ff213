package dev.mullion.rpc;

import io.grpc.InternalMetadata;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;

/**
 * Refuses calls with too much metadata, and says so. The transport ends such a call with the status of
 * HTTP alone, and far above its limit the whole connection: its limit is higher, and there for memory.
 */
record MetadataLimit(int maxInboundMetadataSize) implements ServerInterceptor {
  /** What HTTP/2 adds for each entry. */
  private static final int ENTRY = 32;

  private static final int LEAST_OF_TRANSPORT = 64 * 1024;

  /** Returns how much the transport should take. */
  static int ofTransport(int maxInboundMetadataSize) {
    long several = 4L * maxInboundMetadataSize;
    return (int) Math.min(Integer.MAX_VALUE, Math.max(LEAST_OF_TRANSPORT, several));
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    long size = size(headers);
    if (size <= maxInboundMetadataSize) {
      return next.startCall(call, headers);
    }
    call.close(
        Status.RESOURCE_EXHAUSTED.withDescription("inbound metadata of "
            + size
            + " bytes exceeds maxInboundMetadataSize "
            + maxInboundMetadataSize),
        new Metadata());
    return new ServerCall.Listener<>() {};
  }

  /** Names and values by turns, which are there as bytes already. */
  private static long size(Metadata headers) {
    byte[][] parts = InternalMetadata.serialize(headers);
    long size = 0;
    for (byte[] part : parts) {
      size += part.length;
    }
    return size + (long) ENTRY * (parts.length / 2);
  }
}
