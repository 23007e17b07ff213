package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.HandlerRegistry;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** A proxy passes on any name: each one that a server did not know had meters for ever. */
class ClientMetersTest extends RpcTest {
  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();

  private RpcChannel observed(RpcChannelBuilder builder) {
    return closing(builder.observe(MicrometerObserver.of(registry)).build());
  }

  private static MethodDescriptor<HelloRequest, HelloReply> method(String name) {
    return TestService.UNARY.toBuilder().setFullMethodName(name).build();
  }

  private static void answer(HelloRequest request, StreamObserver<HelloReply> reply) {
    RpcMethod.unary(reply, HelloReply::getDefaultInstance);
  }

  private long count(String method, String status) {
    return registry
        .get("mullion.rpc.client.calls")
        .tags("method", method, "status", status)
        .timer()
        .count();
  }

  @Test
  void doNotGrowWithNamesThatNoServerKnows() throws Exception {
    ServerServiceDefinition service = TestService.unary(ClientMetersTest::answer);
    RpcServer server = start(RpcServer.builder().addService(service));
    RpcChannel channel = observed(RpcChannel.builder().address("127.0.0.1", server.port()));
    RpcChannel toNobody =
        observed(RpcChannel.builder().address("127.0.0.1", RpcChannelTest.freePort()));

    for (int i = 0; i < 100; i++) {
      MethodDescriptor<HelloRequest, HelloReply> any = method("any.Service/Method" + i);
      failure(() -> call(channel, any, REQUEST));
      failure(() -> call(toNobody, any, REQUEST));
    }
    call(channel);

    assertThat(count("unknown", "UNIMPLEMENTED")).isEqualTo(100);
    assertThat(count("unknown", "UNAVAILABLE")).isEqualTo(100);
    assertThat(count("test.Service/Unary", "OK")).isEqualTo(1);
    assertThat(registry.getMeters())
        .extracting(meter -> meter.getId().getTag("method"))
        .containsOnly("unknown", "test.Service/Unary");
  }

  @Test
  void nameTheirMethodsInGeneratedCodeAlsoBeforeAnAnswer() throws Exception {
    RpcChannel toNobody =
        observed(RpcChannel.builder().address("127.0.0.1", RpcChannelTest.freePort()));

    failure(() -> GreeterClient.of(toNobody).sayHello("x"));

    assertThat(count("hello.Greeter/SayHello", "UNAVAILABLE")).isEqualTo(1);
  }

  @Test
  void areOfSoManyMethodsAtMostAlsoIfAServerKnowsAnyName() throws Exception {
    Server server = InProcessServerBuilder.forName("any-method")
        .fallbackHandlerRegistry(new HandlerRegistry() {
          @Override
          public ServerMethodDefinition<?, ?> lookupMethod(
              String name, @Nullable String authority) {
            return ServerMethodDefinition.create(
                method(name), ServerCalls.asyncUnaryCall(ClientMetersTest::answer));
          }
        })
        .directExecutor()
        .build()
        .start();
    closing(() -> server.shutdownNow().awaitTermination());
    RpcChannel channel = observed(RpcChannel.builder().inProcessName("any-method"));

    for (int i = 0; i < ClientMeters.MAX_METHODS + 10; i++) {
      call(channel, method("any.Service/Method" + i), REQUEST);
    }

    assertThat(registry.find("mullion.rpc.client.calls").timers())
        .hasSize(ClientMeters.MAX_METHODS + 1);
    assertThat(count("unknown", "OK")).isEqualTo(10);
  }
}
