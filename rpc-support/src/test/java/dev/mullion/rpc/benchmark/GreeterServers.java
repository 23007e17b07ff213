package dev.mullion.rpc.benchmark;

import dev.mullion.rpc.RpcServer;
import dev.mullion.rpc.RpcServerBuilder;
import dev.mullion.rpc.greeter.GreeterGrpc;
import dev.mullion.rpc.greeter.GreeterService;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.stub.StreamObserver;

/**
 * Greeters to measure beside each other: {@code GreeterServers <kind> <port>}. Of kind {@code
 * plain} it is a server of bare grpc-java, as its quick start has it; {@code defaults} is an {@link
 * RpcServer} with nothing set, {@code direct} one for services that never block.
 */
public final class GreeterServers {
  private GreeterServers() {}

  /** Serves until it is killed. */
  public static void main(String[] arguments) throws Exception {
    int port = Integer.parseInt(arguments[1]);
    long start = System.nanoTime();
    switch (arguments[0]) {
      case "plain" -> {
        Server server = Grpc.newServerBuilderForPort(port, InsecureServerCredentials.create())
            .addService(new PlainGreeter())
            .build()
            .start();
        started(start);
        server.awaitTermination();
      }
      case "defaults" -> serve(RpcServer.builder().port(port), start);
      case "direct" -> serve(RpcServer.builder().port(port).directExecutor(), start);
      default ->
        throw new IllegalArgumentException(
            "kind: " + arguments[0] + " (expected: plain, defaults or direct)");
    }
  }

  private static void serve(RpcServerBuilder builder, long start) throws Exception {
    try (RpcServer server = builder.addService(new GreeterService()).start()) {
      started(start);
      server.awaitTermination();
    }
  }

  private static void started(long start) {
    System.out.println("started in " + (System.nanoTime() - start) / 1_000_000 + " ms");
  }

  private static final class PlainGreeter extends GreeterGrpc.GreeterImplBase {
    @Override
    public void sayHello(HelloRequest request, StreamObserver<HelloReply> replies) {
      String message = "Hello, " + request.getName() + "!";
      replies.onNext(HelloReply.newBuilder().setMessage(message).build());
      replies.onCompleted();
    }
  }
}
