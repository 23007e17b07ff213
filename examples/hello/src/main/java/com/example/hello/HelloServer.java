package com.example.hello;

import dev.mullion.rpc.RpcMethod;
import dev.mullion.rpc.RpcServer;
import io.grpc.stub.StreamObserver;
import java.io.IOException;

/** Serves the Greeter until Ctrl-C. */
public final class HelloServer extends GreeterGrpc.GreeterImplBase {
  private HelloServer() {}

  @Override
  public void sayHello(HelloRequest request, StreamObserver<HelloReply> reply) {
    RpcMethod.unary(
        reply,
        () -> HelloReply.newBuilder()
            .setMessage("Hello, " + request.getName() + "!")
            .build());
  }

  public static void main(String[] args) throws InterruptedException {
    try (RpcServer server = RpcServer.builder()
        .port(Integer.getInteger("port", 50051))
        .addService(new HelloServer())
        .shutdownHook(true) // on Ctrl-C, open calls are still answered
        .start()) {
      System.out.println("listening on " + server.address());
      server.awaitTermination();
    } catch (IOException e) {
      System.err.println("hello-server: " + e.getMessage());
      System.exit(1);
    }
  }
}
