package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.MethodDescriptor;
import io.grpc.ServerBuilder;
import io.grpc.ServerInterceptors;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.testing.integration.AbstractInteropTest;
import io.grpc.testing.integration.TestServiceImpl;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.junit.runner.JUnitCore;
import org.junit.runner.Result;
import org.junit.runner.notification.Failure;

/**
 * gRPC's own interoperability cases, against a server and through a channel of ours: unary and
 * streaming calls, status, metadata, compression, cancellation, timeouts, limits.
 */
@Timeout(120)
class InteropTest {
  /** JUnit makes the object that runs a case, so they find the server here. */
  private static volatile int port;

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void casesOfTheOfficialTestServiceHold(boolean direct) throws Exception {
    ScheduledExecutorService timer = Executors.newScheduledThreadPool(2);
    RpcServerBuilder builder = RpcServer.builder()
        .maxInboundMessageSize(16 * 1024 * 1024)
        .maxOutboundMessageSize(16 * 1024 * 1024)
        .addService(ServerInterceptors.intercept(
            new TestServiceImpl(timer), TestServiceImpl.interceptors()));
    try (RpcServer server = (direct ? builder.directExecutor() : builder).start()) {
      port = server.port();
      Result result = JUnitCore.runClasses(Cases.class);
      assertThat(result.getFailures())
          .extracting(Failure::getTestHeader, Failure::getTrace)
          .isEmpty();
      // Two are for OpenCensus and for machines that tell of more memory.
      assertThat(result.getRunCount() - result.getAssumptionFailureCount())
          .isGreaterThanOrEqualTo(33);
      assertThat(server.counters().callsStarted()).isGreaterThan(33);
      RpcTest.awaitNoClients(server);
    } finally {
      timer.shutdownNow();
    }
  }

  /** The cases; run by the test above only. */
  public static final class Cases extends AbstractInteropTest {
    /** For the one case that wants to set more; the others go through the channel below. */
    @Override
    protected ManagedChannelBuilder<?> createChannelBuilder() {
      return NettyChannelBuilder.forAddress("127.0.0.1", port).usePlaintext();
    }

    @Override
    protected ManagedChannel createChannel() {
      return new Managed(RpcChannel.builder()
          .address("127.0.0.1", port)
          .maxInboundMessageSize(16 * 1024 * 1024)
          .maxOutboundMessageSize(16 * 1024 * 1024)
          .build());
    }

    @Override
    @SuppressWarnings("NullAway") // What it is to return if there is a server already.
    protected ServerBuilder<?> getServerBuilder() {
      return null;
    }

    @Override
    protected boolean metricsExpected() {
      return false;
    }
  }

  /** The cases want a channel of this type. */
  private static final class Managed extends ManagedChannel {
    private final RpcChannel channel;

    Managed(RpcChannel channel) {
      this.channel = channel;
    }

    @Override
    public <Q, R> ClientCall<Q, R> newCall(MethodDescriptor<Q, R> method, CallOptions options) {
      return channel.newCall(method, options);
    }

    @Override
    public String authority() {
      return channel.authority();
    }

    @Override
    public ManagedChannel shutdown() {
      channel.shutdown();
      return this;
    }

    @Override
    public ManagedChannel shutdownNow() {
      channel.shutdownNow();
      return this;
    }

    @Override
    public boolean isShutdown() {
      return channel.isTerminated();
    }

    @Override
    public boolean isTerminated() {
      return channel.isTerminated();
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) throws InterruptedException {
      return channel.awaitTermination(Duration.ofNanos(unit.toNanos(timeout)));
    }
  }
}
