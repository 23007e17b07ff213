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
import io.grpc.ServerBuilder;
import io.grpc.stub.StreamObserver;

/**
 * Greeters to measure beside each other: {@code GreeterServers <kind> <port>}. Of kind {@code
 * plain} it is a server of bare grpc-java, as its quick start has it, of kind {@code plain-direct}
 * the same with services on event loops; {@code defaults} is an {@link RpcServer} with nothing set,
 * {@code direct} one with services on event loops.
 */
public final class GreeterServers {
  private GreeterServers() {}

  /** Serves until it is killed. */
  public static void main(String[] arguments) throws Exception {
    int port = Integer.parseInt(arguments[1]);
    long start = System.nanoTime();
    switch (arguments[0]) {
      case "plain" -> servePlain(plain(port), start);
      case "plain-direct" -> servePlain(plain(port).directExecutor(), start);
      case "defaults" -> serve(RpcServer.builder().port(port), start);
      case "direct" -> serve(RpcServer.builder().port(port).directExecutor(), start);
      default ->
        throw new IllegalArgumentException(
            "kind: " + arguments[0] + " (expected: plain, plain-direct, defaults or direct)");
    }
  }

  private static ServerBuilder<?> plain(int port) {
    return Grpc.newServerBuilderForPort(port, InsecureServerCredentials.create());
  }

  private static void servePlain(ServerBuilder<?> builder, long start) throws Exception {
    Server server = builder.addService(new PlainGreeter()).build().start();
    started(start, server.getPort());
    server.awaitTermination();
  }

  private static void serve(RpcServerBuilder builder, long start) throws Exception {
    try (RpcServer server = builder.addService(new GreeterService()).start()) {
      started(start, server.port());
      server.awaitTermination();
    }
  }

  private static void started(long start, int port) {
    System.out.println("started in " + (System.nanoTime() - start) / 1_000_000 + " ms");
    System.out.println("listening on " + port);
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
