package dev.mullion.rpc;

import io.grpc.CompressorRegistry;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;

/**
 * Compresses replies; gRPC leaves them uncompressed for clients that do not accept the compression.
 */
record ReplyCompression(String compression) implements ServerInterceptor {
  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    call.setCompression(compression);
    return next.startCall(call, headers);
  }

  /** Throws if gRPC has no compressor of that name. */
  static void check(String compression) {
    if (CompressorRegistry.getDefaultInstance().lookupCompressor(compression) == null) {
      throw new IllegalStateException("compression: "
          + compression
          + " (expected: gzip, identity, or another one in CompressorRegistry)");
    }
  }
}
