package com.example.hello;

import dev.mullion.rpc.RpcChannel;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.time.Duration;

/** Prints the greeting for a name. */
public final class HelloClient {
  private HelloClient() {}

  public static void main(String[] args) {
    if (args.length != 1 || args[0].startsWith("-")) {
      System.err.println("usage: HelloClient NAME");
      System.exit(2);
    }
    try (RpcChannel channel = RpcChannel.builder()
        .address("127.0.0.1", Integer.getInteger("port", 50051))
        .defaultTimeout(Duration.ofSeconds(5))
        .connect()) {
      HelloRequest request = HelloRequest.newBuilder().setName(args[0]).build();
      HelloReply reply = GreeterGrpc.newBlockingStub(channel).sayHello(request);
      System.out.println(reply.getMessage());
    } catch (IOException | StatusRuntimeException e) {
      System.err.println("hello-client: " + e.getMessage());
      System.exit(1);
    }
  }
}
