package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import dev.mullion.net.StopReport;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.net.BindException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Three servers, of which one after the other is stopped and started again while there is load.
 * {@code -Drestarts=500} makes it as many.
 */
@Timeout(3600)
class RollingRestartTest extends RpcTest {
  private static final int RESTARTS = Integer.getInteger("restarts", 6);
  private static final int CALLERS = 8;

  private final RpcServer[] servers = new RpcServer[3];
  private final AtomicBoolean enough = new AtomicBoolean();
  private final LongAdder answered = new LongAdder();
  private final ConcurrentLinkedQueue<StatusRuntimeException> failed =
      new ConcurrentLinkedQueue<>();

  /** The port may be another's for a moment: of a connection that goes out. */
  private static RpcServer greeter(int port) throws Exception {
    List<RpcServer> started = new ArrayList<>();
    Await.until("port " + port + " is free", () -> {
      try {
        started.add(
            RpcServer.builder().port(port).addService(new GreeterService()).start());
        return true;
      } catch (BindException taken) {
        return false;
      }
    });
    return started.get(0);
  }

  private void callUntilEnough(GreeterClient client) {
    while (!enough.get()) {
      try {
        assertThat(client.sayHello("x")).isEqualTo("Hello, x!");
        answered.increment();
      } catch (StatusRuntimeException e) {
        failed.add(e);
      }
    }
  }

  private long callsOf(RpcServer server) {
    return server.counters().callsSucceeded();
  }

  private void restart(int index) throws Exception {
    RpcServer old = servers[index];
    int port = old.port();
    StopReport report = old.stop(Duration.ofSeconds(20));
    assertThat(report.cut()).isZero();
    RpcServer server = greeter(port);
    servers[index] = server;
    Await.until("it is called again", () -> callsOf(server) >= 10);
  }

  @Test
  void noCallFailsWhileServersRestart() throws Exception {
    for (int i = 0; i < servers.length; i++) {
      int index = i;
      servers[i] = greeter(0);
      closing(() -> servers[index].close());
    }
    GreeterClient client = GreeterClient.of(channel());
    List<CompletableFuture<Void>> callers = new ArrayList<>();
    for (int i = 0; i < CALLERS; i++) {
      callers.add(Threads.run(() -> callUntilEnough(client)));
    }

    try {
      for (int i = 0; i < RESTARTS; i++) {
        restart(i % servers.length);
      }
    } finally {
      enough.set(true);
      callers.forEach(CompletableFuture::join);
    }

    System.out.println(
        RESTARTS + " restarts, " + answered + " calls answered, " + failed.size() + " failed");
    assertThat(failed).isEmpty();
    assertThat(answered.sum()).isGreaterThanOrEqualTo(10L * RESTARTS);
  }

  private RpcChannel channel() throws IOException {
    RpcChannelBuilder builder = RpcChannel.builder()
        .defaultTimeout(Duration.ofSeconds(20))
        .retryPolicy(RetryPolicy.builder().initialBackoff(Duration.ofMillis(10)).build());
    for (RpcServer server : servers) {
      builder.address("127.0.0.1", server.port());
    }
    return closing(builder.connect());
  }
}
