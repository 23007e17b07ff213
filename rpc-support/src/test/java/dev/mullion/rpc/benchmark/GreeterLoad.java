package dev.mullion.rpc.benchmark;

import dev.mullion.framing.testing.comparison.LoadMeter;
import dev.mullion.rpc.greeter.GreeterGrpc;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;

/**
 * A load generator for Greeters, of gRPC's own channels. Its arguments are {@code <port> <server's
 * process> <warm-up> <measured time> <connections> <calls in flight>}, with times in nanoseconds.
 *
 * <p>Each connection has as many unary calls under way as are allowed. Each reply is compared with
 * what it should be.
 */
public final class GreeterLoad {
  private static final HelloRequest REQUEST =
      HelloRequest.newBuilder().setName("world").build();
  private static final HelloReply REPLY =
      HelloReply.newBuilder().setMessage("Hello, world!").build();
  private static final int POLL_MILLIS = 5;

  private final LongAdder completed = new LongAdder();
  private final AtomicReference<Throwable> failure = new AtomicReference<>();

  private GreeterLoad() {}

  /** Prints what it has measured. */
  public static void main(String[] arguments) throws InterruptedException {
    if (arguments.length != 6) {
      System.err.println("usage: GreeterLoad PORT PROCESS WARMUP MEASURED CONNECTIONS IN_FLIGHT");
      System.exit(2);
    }
    LoadMeter meter = LoadMeter.of(arguments);
    new GreeterLoad()
        .run(
            meter,
            Integer.parseInt(arguments[0]),
            Integer.parseInt(arguments[4]),
            Integer.parseInt(arguments[5]));
    System.out.println(meter.result());
  }

  private void run(LoadMeter meter, int port, int connections, int inFlight)
      throws InterruptedException {
    List<ManagedChannel> channels = new ArrayList<>();
    try {
      for (int i = 0; i < connections; i++) {
        ManagedChannel channel = NettyChannelBuilder.forAddress("127.0.0.1", port)
            .usePlaintext()
            .directExecutor()
            .build();
        channels.add(channel);
        GreeterGrpc.GreeterStub stub = GreeterGrpc.newStub(channel);
        for (int call = 0; call < inFlight; call++) {
          stub.sayHello(REQUEST, new Caller(stub));
        }
      }
      while (!meter.isOver(completed.sum())) {
        Throwable failed = failure.get();
        if (failed != null) {
          throw new IllegalStateException("call failed: " + failed, failed);
        }
        Thread.sleep(POLL_MILLIS);
      }
    } finally {
      channels.forEach(ManagedChannel::shutdownNow);
    }
  }

  /** Makes the next call when one is over. */
  private final class Caller implements StreamObserver<HelloReply> {
    private final GreeterGrpc.GreeterStub stub;

    Caller(GreeterGrpc.GreeterStub stub) {
      this.stub = stub;
    }

    @Override
    public void onNext(HelloReply reply) {
      if (!reply.equals(REPLY)) {
        failure.compareAndSet(null, new IllegalStateException("another reply: " + reply));
      }
    }

    @Override
    public void onError(Throwable cause) {
      failure.compareAndSet(null, cause);
    }

    @Override
    public void onCompleted() {
      completed.increment();
      stub.sayHello(REQUEST, this);
    }
  }
}
