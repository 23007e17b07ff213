package dev.mullion.rpc;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.MethodDescriptor;
import io.grpc.stub.ClientCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/** Calls {@link TestService#UNARY} with bytes that need not be a message. */
final class RawCall {
  private static final MethodDescriptor.Marshaller<byte[]> BYTES =
      new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(byte[] value) {
          return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
          try {
            return stream.readAllBytes();
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        }
      };

  static final MethodDescriptor<byte[], byte[]> UNARY =
      TestService.UNARY.toBuilder(BYTES, BYTES).build();

  private RawCall() {}

  static byte[] unary(Channel channel, byte[] message) {
    return ClientCalls.blockingUnaryCall(channel, UNARY, CallOptions.DEFAULT, message);
  }
}
