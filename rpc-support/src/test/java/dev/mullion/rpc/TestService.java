package dev.mullion.rpc;

import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ServerCalls;
import java.nio.charset.StandardCharsets;

/** A service with one method, of whatever type and whatever it does. */
final class TestService {
  static final MethodDescriptor<HelloRequest, HelloReply> UNARY =
      method("Unary", MethodDescriptor.MethodType.UNARY);
  static final MethodDescriptor<HelloRequest, HelloReply> STREAM =
      method("Stream", MethodDescriptor.MethodType.SERVER_STREAMING);
  static final MethodDescriptor<HelloRequest, HelloReply> BIDI =
      method("Bidi", MethodDescriptor.MethodType.BIDI_STREAMING);

  private TestService() {}

  private static MethodDescriptor<HelloRequest, HelloReply> method(
      String name, MethodDescriptor.MethodType type) {
    return MethodDescriptor.<HelloRequest, HelloReply>newBuilder()
        .setFullMethodName("test.Service/" + name)
        .setType(type)
        .setRequestMarshaller(ProtoUtils.marshaller(HelloRequest.getDefaultInstance()))
        .setResponseMarshaller(ProtoUtils.marshaller(HelloReply.getDefaultInstance()))
        .build();
  }

  static ServerServiceDefinition unary(ServerCalls.UnaryMethod<HelloRequest, HelloReply> method) {
    return ServerServiceDefinition.builder("test.Service")
        .addMethod(UNARY, ServerCalls.asyncUnaryCall(method))
        .build();
  }

  static ServerServiceDefinition stream(
      ServerCalls.ServerStreamingMethod<HelloRequest, HelloReply> method) {
    return ServerServiceDefinition.builder("test.Service")
        .addMethod(STREAM, ServerCalls.asyncServerStreamingCall(method))
        .build();
  }

  static ServerServiceDefinition bidi(
      ServerCalls.BidiStreamingMethod<HelloRequest, HelloReply> method) {
    return ServerServiceDefinition.builder(
            ServiceDescriptor.newBuilder("test.Service").addMethod(BIDI).build())
        .addMethod(BIDI, ServerCalls.asyncBidiStreamingCall(method))
        .build();
  }

  /** Returns a request whose message has so many bytes: two or three before the name. */
  static HelloRequest request(int bytes) {
    return HelloRequest.newBuilder().setName(text(bytes)).build();
  }

  /** Returns a reply whose message has so many bytes. */
  static HelloReply reply(int bytes) {
    return HelloReply.newBuilder().setMessage(text(bytes)).build();
  }

  private static String text(int bytes) {
    int length = bytes - 2;
    while (HelloReply.newBuilder().setMessage("n".repeat(length)).build().getSerializedSize()
        > bytes) {
      length--;
    }
    return new String(new byte[length], StandardCharsets.US_ASCII).replace('\0', 'n');
  }
}
