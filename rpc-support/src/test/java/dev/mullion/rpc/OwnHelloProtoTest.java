package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.DescriptorProtos.DescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.MethodDescriptorProto;
import com.google.protobuf.DescriptorProtos.ServiceDescriptorProto;
import com.google.protobuf.Descriptors.FileDescriptor;
import dev.mullion.rpc.greeter.GreeterService;
import dev.mullion.rpc.greeter.HelloProto;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.protobuf.ProtoFileDescriptorSupplier;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import java.util.Iterator;
import org.junit.jupiter.api.Test;

/**
 * A user's own {@code hello.proto} beside the Greeter's, in one program. Both were called
 * {@code hello.proto} once, and reflection knew only one of the two services.
 */
class OwnHelloProtoTest extends RpcTest {
  private static final String OURS = "dev/mullion/rpc/greeter/hello.proto";

  @Test
  void ourFileIsNamedAfterItsPackage() {
    assertThat(HelloProto.getDescriptor().getFile().getName()).isEqualTo(OURS);
  }

  @Test
  void reflectionKnowsBothFiles() throws Exception {
    RpcServer server =
        start(RpcServer.builder().addService(new GreeterService()).addService(service(file())));
    var stub = ServerReflectionGrpc.newStub(channel(server));

    try (ClientStream<ServerReflectionRequest, ServerReflectionResponse> stream =
        ClientStream.open(stub::serverReflectionInfo)) {
      assertThat(file(stream, "hello.Greeter").getName()).isEqualTo(OURS);
      FileDescriptorProto own = file(stream, "mine.Greeter");
      assertThat(own).isEqualTo(file().toProto());
      stream.requests().complete();
    }
  }

  private static FileDescriptorProto file(
      ClientStream<ServerReflectionRequest, ServerReflectionResponse> stream, String symbol)
      throws Exception {
    stream
        .requests()
        .write(
            ServerReflectionRequest.newBuilder().setFileContainingSymbol(symbol).build());
    Iterator<ServerReflectionResponse> replies = stream.replies().iterator();
    return FileDescriptorProto.parseFrom(
        replies.next().getFileDescriptorResponse().getFileDescriptorProto(0));
  }

  private static FileDescriptor file() throws Exception {
    FileDescriptorProto own = FileDescriptorProto.newBuilder()
        .setName("hello.proto")
        .setPackage("mine")
        .setSyntax("proto3")
        .addMessageType(DescriptorProto.newBuilder().setName("Hello"))
        .addService(ServiceDescriptorProto.newBuilder()
            .setName("Greeter")
            .addMethod(MethodDescriptorProto.newBuilder()
                .setName("Greet")
                .setInputType(".mine.Hello")
                .setOutputType(".mine.Hello")))
        .build();
    return FileDescriptor.buildFrom(own, new FileDescriptor[0]);
  }

  private static ServerServiceDefinition service(FileDescriptor file) {
    ProtoFileDescriptorSupplier schema = () -> file;
    return ServerServiceDefinition.builder(ServiceDescriptor.newBuilder("mine.Greeter")
            .setSchemaDescriptor(schema)
            .build())
        .build();
  }
}
