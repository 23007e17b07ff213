package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import io.grpc.EquivalentAddressGroup;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Of several places to call, one that says nothing keeps no calls from the others. */
class SeveralServersTest extends RpcTest {
  /** Accepts connections, and says nothing. */
  private SocketAddress silent() throws IOException {
    ServerSocket listening = closing(new ServerSocket(0, 50, InetAddress.getLoopbackAddress()));
    Threads.run(() -> {
      while (!listening.isClosed()) {
        try {
          Socket client = listening.accept();
          Threads.run(() -> readAll(client));
        } catch (IOException closed) {
          return;
        }
      }
    });
    return listening.getLocalSocketAddress();
  }

  private static void readAll(Socket client) {
    try (client) {
      client.getInputStream().transferTo(OutputStream.nullOutputStream());
    } catch (IOException gone) {
      // The client has closed the connection.
    }
  }

  private RpcServer greeter() throws IOException {
    return start(RpcServer.builder().addService(new GreeterService()));
  }

  /** A process that hangs still accepts connections: calls waited there until their deadlines. */
  @Test
  void silentAddressesOfANameAreLeftForTheNext() throws Exception {
    Threads.forEach(List.of(1, 3), this::silentAddressesAreLeftForTheNext);
  }

  private void silentAddressesAreLeftForTheNext(int silent) throws Exception {
    List<SocketAddress> addresses = new ArrayList<>();
    for (int i = 0; i < silent; i++) {
      addresses.add(silent());
    }
    addresses.add(greeter().address());
    String scheme = "names" + silent;
    closing(new Names(scheme, addresses).register());

    Threads.forEach(List.of("connect", "build"), how -> {
      RpcChannelBuilder builder = RpcChannel.builder()
          .target(scheme + ":///greeter")
          .closeTimeout(Duration.ZERO)
          .connectTimeout(Duration.ofSeconds(4));
      if (how.equals("connect")) {
        closing(builder.connect());
        return;
      }
      RpcChannel channel = closing(builder.build());
      assertThat(GreeterClient.of(channel).sayHello("x", Duration.ofSeconds(60)))
          .isEqualTo("Hello, x!");
    });
  }

  /** Each is bound for itself: one address that says nothing has all of the time. */
  @Test
  void eachAddressHasAShareOfTheTime() {
    ConnectAttempts attempts = new ConnectAttempts(Duration.ofSeconds(10), null, new OpenSockets());

    assertThat(attempts.share(1)).isEqualTo(Duration.ofSeconds(9).toNanos());
    assertThat(attempts.share(3)).isEqualTo(Duration.ofSeconds(3).toNanos());
    assertThat(attempts.share(1000)).isEqualTo(Duration.ofMillis(250).toNanos());
    assertThat(new ConnectAttempts(Duration.ofMillis(100), null, new OpenSockets()).share(2))
        .isEqualTo(Duration.ofMillis(90).toNanos());
    assertThat(new ConnectAttempts(Duration.ofDays(365_000), null, new OpenSockets()).share(1))
        .isPositive();
  }

  /** Says nothing of its health until it is told what. */
  private static final class QuietHealth extends HealthGrpc.HealthImplBase {
    private final AtomicReference<@Nullable StreamObserver<HealthCheckResponse>> watching =
        new AtomicReference<>();

    @Override
    public void check(HealthCheckRequest request, StreamObserver<HealthCheckResponse> replies) {
      replies.onNext(
          HealthCheckResponse.newBuilder().setStatus(ServingStatus.SERVING).build());
      replies.onCompleted();
    }

    @Override
    public void watch(HealthCheckRequest request, StreamObserver<HealthCheckResponse> replies) {
      watching.set(replies);
    }

    void say(ServingStatus status) {
      requireNonNull(watching.get())
          .onNext(HealthCheckResponse.newBuilder().setStatus(status).build());
    }
  }

  private int serving(HealthGrpc.HealthImplBase health) throws IOException {
    Server server = NettyServerBuilder.forAddress(
            new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
            InsecureServerCredentials.create())
        .addService(new GreeterService())
        .addService(health)
        .build()
        .start();
    closing(() -> server.shutdownNow().awaitTermination());
    return server.getPort();
  }

  private static RpcChannelBuilder toBoth(int one, int two) {
    return RpcChannel.builder()
        .address("127.0.0.1", one)
        .address("127.0.0.1", two)
        .closeTimeout(Duration.ZERO);
  }

  @Test
  void silentHealthStopsNoCallsAndIsObeyedOnceItSpeaks() throws Exception {
    QuietHealth one = new QuietHealth();
    QuietHealth two = new QuietHealth();
    RpcChannel channel = closing(
        toBoth(serving(one), serving(two)).connectTimeout(Duration.ofSeconds(4)).connect());
    GreeterClient client = GreeterClient.of(channel);

    assertThat(client.sayHello("x", Duration.ofSeconds(30))).isEqualTo("Hello, x!");

    Await.until("both are watched", () -> one.watching.get() != null && two.watching.get() != null);
    one.say(ServingStatus.NOT_SERVING);
    two.say(ServingStatus.NOT_SERVING);
    Await.until(
        "it is obeyed",
        () -> text(failure(() -> client.sayHello("x")))
            .startsWith("UNAVAILABLE: Health-check service responded NOT_SERVING"));
    two.say(ServingStatus.SERVING);
    Await.until("it is obeyed again", () -> failure(() -> client.sayHello("x")).isOk());
  }

  @Test
  void healthCheckCanBeSwitchedOff() throws Exception {
    QuietHealth health = new QuietHealth();
    int port = serving(health);
    RpcServer notServing = greeter();
    notServing.setServing("", false);
    RpcChannel channel =
        closing(toBoth(port, notServing.port()).healthCheck(false).connect());

    GreeterClient client = GreeterClient.of(channel);
    Await.until("both are called", () -> {
      client.sayHello("x");
      return notServing.counters().callsSucceeded() > 0;
    });
    assertThat(health.watching.get()).isNull();
  }

  /** Whoever has a proxy wants no connection past it. */
  @Test
  void proxiesHoldForSeveralAddressesAsForOne() throws Exception {
    SocketAddress proxy = new InetSocketAddress(InetAddress.getLoopbackAddress(), 1);
    SeveralAddresses addresses = new SeveralAddresses(List.of(
        InetSocketAddress.createUnresolved("known.only.to.the.proxy.invalid", 5),
        InetSocketAddress.createUnresolved("127.0.0.1", 6)));

    List<EquivalentAddressGroup> groups = addresses
        .resolve(server -> server.getHostString().endsWith(".invalid") ? proxy : null)
        .getValue();

    assertThat(groups)
        .extracting(EquivalentAddressGroup::getAddresses)
        .containsExactly(
            List.of(proxy), List.of(new InetSocketAddress(InetAddress.getLoopbackAddress(), 6)));
    assertThat(groups)
        .extracting(
            each -> each.getAttributes().get(EquivalentAddressGroup.ATTR_AUTHORITY_OVERRIDE))
        .containsExactly("known.only.to.the.proxy.invalid:5", "127.0.0.1:6");
    Status none = addresses
        .resolve(server -> {
          throw new IOException("it is away");
        })
        .getStatus();
    assertThat(text(none))
        .isEqualTo("UNAVAILABLE: unknown hosts known.only.to.the.proxy.invalid (no proxy: it is"
            + " away), 127.0.0.1 (no proxy: it is away)");
  }
}
