package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.framing.testing.Threads;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import dev.mullion.rpc.greeter.HelloReply;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RpcServerConnectionsTest extends RpcTest {
  private static RpcServerBuilder greeter() {
    return RpcServer.builder().addService(new GreeterService());
  }

  private Socket socket(RpcServer server) throws IOException {
    Socket socket = closing(new Socket(InetAddress.getLoopbackAddress(), server.port()));
    socket.setSoTimeout(20_000);
    return socket;
  }

  private static boolean isClosed(Socket socket) throws IOException {
    try {
      return socket.getInputStream().read() < 0;
    } catch (SocketException reset) {
      return true;
    }
  }

  @Test
  void connectionsThatAreTooManyAreClosedAtOnceAndCounted() throws Exception {
    RpcServer server = start(greeter().maxConnections(2).handshakeTimeout(Duration.ofMinutes(1)));
    // They say nothing, and are counted all the same.
    Socket first = socket(server);
    assertThat(first.isConnected()).isTrue();
    ManagedChannel channel = channel(server);
    assertThat(GreeterClient.of(channel).sayHello("x")).isEqualTo("Hello, x!");

    assertThat(isClosed(socket(server))).isTrue();
    assertThat(isClosed(socket(server))).isTrue();
    assertThat(server.counters().connectionsRefused()).isEqualTo(2);
    assertThat(server.counters().connectionsOpened()).isEqualTo(1);
    ManagedChannel refused = channel(server);
    assertThat(failure(() -> call(refused)).getCode()).isEqualTo(Status.Code.UNAVAILABLE);

    // The channel that is connected goes on, and there is room again when another goes.
    assertThat(GreeterClient.of(channel).sayHello("x")).isEqualTo("Hello, x!");
    first.close();
    awaitRoom(RpcChannel.builder(), server);
  }

  private static boolean isAnswered(RpcChannelBuilder builder, RpcServer server) {
    try (RpcChannel channel = builder.target("localhost:" + server.port()).build()) {
      return failure(() -> GreeterClient.of(channel).sayHello("x")).isOk();
    }
  }

  /** Reads what the server says first, until it closes the connection. */
  private static void awaitClosed(Socket socket) throws IOException {
    try {
      socket.getInputStream().transferTo(OutputStream.nullOutputStream());
    } catch (SocketException | SSLException reset) {
      // That is how it is closed.
    }
  }

  private static RpcServerBuilder impatient() {
    return greeter().maxConnections(1).handshakeTimeout(Duration.ofMillis(700));
  }

  private static void awaitRoom(RpcChannelBuilder client, RpcServer server) throws Exception {
    Await.until("there is room", () -> isAnswered(client, server));
  }

  /** Those that say nothing, and those that do not finish their preface. */
  @Test
  void peerThatDoesNotBeginIsClosedAndGivesItsPlace() throws Exception {
    Threads.forEach(List.of("", "PRI * HTTP/2.0\r\n"), said -> {
      RpcServer server = start(impatient());
      Socket socket = socket(server);
      socket.getOutputStream().write(said.getBytes(US_ASCII));

      awaitClosed(socket);

      awaitRoom(RpcChannel.builder(), server);
    });
  }

  @Test
  void peerThatDoesNotBeginTlsIsClosedAndGivesItsPlace(@TempDir Path directory) throws Exception {
    Certificates certificates = Certificates.in(directory);
    RpcServer server = start(impatient().tls(certificates.server()));

    awaitClosed(socket(server));

    awaitRoom(RpcChannel.builder().tls(certificates.client()), server);
  }

  @Test
  void peerThatSaysNothingOverTlsIsClosedAndGivesItsPlace(@TempDir Path directory)
      throws Exception {
    Certificates certificates = Certificates.in(directory);
    RpcServer server = start(impatient().tls(certificates.server()));
    SSLContext trusting = SSLContext.getInstance("TLS");
    trusting.init(null, InsecureTrustManagerFactory.INSTANCE.getTrustManagers(), null);
    AtomicReference<@Nullable Socket> secured = new AtomicReference<>();
    // It may take longer than the server lets it, the first time.
    Await.until("TLS is agreed on", () -> {
      secured.set(secured(server, trusting));
      return secured.get() != null;
    });

    awaitClosed(requireNonNull(secured.get()));

    awaitRoom(RpcChannel.builder().tls(certificates.client()), server);
  }

  private @Nullable Socket secured(RpcServer server, SSLContext trusting) throws IOException {
    SSLSocket socket = closing((SSLSocket)
        trusting.getSocketFactory().createSocket(socket(server), "localhost", server.port(), true));
    SSLParameters http2 = socket.getSSLParameters();
    http2.setApplicationProtocols(new String[] {"h2"});
    socket.setSSLParameters(http2);
    try {
      socket.startHandshake();
      return socket;
    } catch (SocketException | SSLException closed) {
      return null;
    }
  }

  @Test
  void connectionThatHasBegunLastsLongerThanItsHandshakeMay() throws Exception {
    RpcServer server = start(greeter().handshakeTimeout(Duration.ofMillis(300)));
    GreeterClient client = GreeterClient.of(channel(server));
    Await.until("it is connected", () -> failure(() -> client.sayHello("x")).isOk());
    long connections = server.counters().connectionsOpened();

    awaitClosed(socket(server));

    assertThat(client.sayHello("x")).isEqualTo("Hello, x!");
    assertThat(server.counters().connectionsOpened()).isEqualTo(connections);
  }

  @Test
  void noCallFailsWhenConnectionsReachTheirAge() throws Exception {
    RpcServer server = start(greeter().maxConnectionAge(Duration.ofSeconds(1)));
    GreeterClient client = GreeterClient.of(
        closing(RpcChannel.builder().address("127.0.0.1", server.port()).build()));
    AtomicBoolean enough = new AtomicBoolean();
    List<CompletableFuture<Integer>> callers = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      callers.add(Threads.call(() -> {
        int calls = 0;
        while (!enough.get()) {
          assertThat(client.sayHello("x")).isEqualTo("Hello, x!");
          calls++;
        }
        return calls;
      }));
    }

    Await.until(
        "there was a third connection",
        () -> server.counters().connectionsOpened() >= 3
            || callers.stream().anyMatch(CompletableFuture::isDone));
    enough.set(true);

    int calls = 0;
    for (CompletableFuture<Integer> each : callers) {
      calls += each.get();
    }
    assertThat(server.counters().connectionsOpened()).isGreaterThanOrEqualTo(3);
    int answered = calls;
    Await.until("all have ended", () -> server.counters().callsSucceeded() == answered);
  }

  /** The least time for either is a second. */
  @Test
  void connectionsThatAreOldOrIdleAreClosed() throws Exception {
    Threads.forEach(List.of("old", "idle"), which -> {
      if (which.equals("old")) {
        callIsCutAfterTheGraceOfItsConnection();
      } else {
        connectionWithoutCallsIsClosed();
      }
    });
  }

  private void callIsCutAfterTheGraceOfItsConnection() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .maxConnectionAge(Duration.ofSeconds(1))
        .maxConnectionAgeGrace(Duration.ofMillis(100))
        .addService(TestService.stream(
            (request, replies) -> replies.onNext(HelloReply.getDefaultInstance()))));

    Iterator<HelloReply> replies = stream(channel(server));

    assertThat(replies.next()).isEqualTo(HelloReply.getDefaultInstance());
    assertThat(failure(replies::hasNext).getCode()).isEqualTo(Status.Code.UNAVAILABLE);
    Await.until("it has ended", () -> server.counters().callsFailed() == 1);
  }

  private void connectionWithoutCallsIsClosed() throws Exception {
    RpcServer server = start(greeter().maxConnectionIdle(Duration.ofSeconds(1)));
    GreeterClient client = GreeterClient.of(channel(server));

    assertThat(client.sayHello("x")).isEqualTo("Hello, x!");
    Await.until("it is closed", () -> server.counters().connectionsOpen() == 0);
    assertThat(client.sayHello("x")).isEqualTo("Hello, x!");
    assertThat(server.counters().connectionsOpened()).isEqualTo(2);
  }

  @Test
  void connectionThatResetsTooManyCallsIsEnded() throws Exception {
    RpcServer server = start(greeter().maxResets(50, Duration.ofSeconds(60)));
    Http2Frames flood = closing(new Http2Frames(socket(server)));
    flood.sendPreface();
    flood.send(Http2Frames.SETTINGS, 0, 0);

    for (int i = 0; i < 51; i++) {
      flood.sendCall(2 * i + 1, "/hello.Greeter/SayHello");
      flood.send(Http2Frames.RST_STREAM, 0, 2 * i + 1, new byte[] {0, 0, 0, 8});
    }

    Http2Frames.GoAway goAway = flood.readGoAway();
    assertThat(goAway.errorCode()).as("ENHANCE_YOUR_CALM").isEqualTo(11);
    assertThat(goAway.debugData()).isEqualTo("too_many_rststreams");
    assertThat(server.counters().connectionsEndedForResets()).isEqualTo(1);
    assertThat(server.counters().connectionsEndedForPings()).isZero();
    flood.close();
    Await.until("no call is left", () -> server.counters().callsOpen() == 0);
  }

  @Test
  void fiftyResetsAreNoFlood() throws Exception {
    RpcServer server = start(greeter().maxResets(50, Duration.ofSeconds(60)));
    Http2Frames client = closing(new Http2Frames(socket(server)));
    client.sendPreface();
    client.send(Http2Frames.SETTINGS, 0, 0);
    for (int i = 0; i < 50; i++) {
      client.sendCall(2 * i + 1, "/hello.Greeter/SayHello");
      client.send(Http2Frames.RST_STREAM, 0, 2 * i + 1, new byte[] {0, 0, 0, 8});
    }

    // A call without a message is answered.
    client.sendCall(101, "/hello.Greeter/None");
    client.read(Http2Frames.HEADERS);

    assertThat(server.counters().connectionsEndedForResets()).isZero();
  }

  @Test
  void settingsThatContradictEachOtherAreRefused() {
    assertThatIllegalStateException()
        .isThrownBy(greeter().maxConnectionAgeGrace(Duration.ofSeconds(1))::start)
        .withMessage("maxConnectionAgeGrace: PT1S (expected: maxConnectionAge set)");
    assertThatIllegalStateException()
        .isThrownBy(greeter().inProcessName("x").maxConnections(1).maxCallsPerConnection(1)::start)
        .withMessage("inProcessName: x (expected: no maxConnections, "
            + "maxCallsPerConnection set, an in-process server has no connections)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> greeter().maxConnectionAge(Duration.ofMillis(999)))
        .withMessage("maxConnectionAge: PT0.999S (expected: PT0S for none, or >= PT1S)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> greeter().maxConnectionIdle(Duration.ofSeconds(-1)))
        .withMessage("maxConnectionIdle: PT-1S (expected: >= PT0S)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> greeter().handshakeTimeout(Duration.ofNanos(999_999)))
        .withMessage("handshakeTimeout: PT0.000999999S (expected: >= PT0.001S)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> greeter().maxConnections(0))
        .withMessage("maxConnections: 0 (expected: >= 1)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> greeter().maxResets(1, Duration.ofMillis(1500)))
        .withMessage("window: PT1.5S (expected: whole seconds, PT1S to PT24H)");
  }
}
