package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import java.io.IOException;
import java.util.Deque;
import java.util.Iterator;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;

/** Closes what a test has opened, the last first, and calls servers through gRPC's own channel. */
@Timeout(90)
abstract class RpcTest {
  static final HelloRequest REQUEST = HelloRequest.newBuilder().setName("x").build();

  /** Calls that are stuck wait for it. */
  final CountDownLatch released = new CountDownLatch(1);

  /** Cases of a test may run side by side. */
  private final Deque<AutoCloseable> open = new ConcurrentLinkedDeque<>();

  @AfterEach
  void closeAll() throws Exception {
    released.countDown();
    while (!open.isEmpty()) {
      open.pop().close();
    }
  }

  <T extends AutoCloseable> T closing(T resource) {
    open.push(resource);
    return resource;
  }

  /**
   * Starts a server. It is closed when its clients are gone: gRPC's server leaks the text of its
   * GOAWAY when a client closes the connection in the same moment.
   */
  RpcServer start(RpcServerBuilder builder) throws IOException {
    return serving(builder.start());
  }

  /** Has a server closed that has been started. */
  RpcServer serving(RpcServer server) {
    closing(() -> {
      awaitNoClients(server);
      server.close();
    });
    return server;
  }

  static void awaitNoClients(RpcServer server) throws Exception {
    Await.until("clients are gone", () -> server.counters().connectionsOpen() == 0);
  }

  ManagedChannel channel(RpcServer server) {
    return channel(NettyChannelBuilder.forAddress("127.0.0.1", server.port()));
  }

  ManagedChannel channel(NettyChannelBuilder builder) {
    ManagedChannel channel = builder.usePlaintext().build();
    open.push(() -> channel.shutdownNow().awaitTermination(10, TimeUnit.SECONDS));
    return channel;
  }

  static HelloReply call(Channel channel) {
    return call(channel, TestService.UNARY, REQUEST);
  }

  static HelloReply call(
      Channel channel, MethodDescriptor<HelloRequest, HelloReply> method, HelloRequest request) {
    return ClientCalls.blockingUnaryCall(channel, method, CallOptions.DEFAULT, request);
  }

  static Iterator<HelloReply> stream(Channel channel) {
    return ClientCalls.blockingServerStreamingCall(
        channel, TestService.STREAM, CallOptions.DEFAULT, REQUEST);
  }

  /** Returns the status with which it fails. */
  static Status failure(ThrowingCallable call) {
    StatusRuntimeException failed = catchThrowableOfType(StatusRuntimeException.class, call);
    return failed == null ? Status.OK : failed.getStatus();
  }

  static String text(Status status) {
    return status.getCode() + ": " + status.getDescription();
  }

  void awaitRelease() {
    try {
      released.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
