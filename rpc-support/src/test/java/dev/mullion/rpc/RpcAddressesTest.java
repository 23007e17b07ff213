package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import java.io.IOException;
import java.net.BindException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several addresses, unix-domain sockets, and targets of all kinds. */
class RpcAddressesTest extends RpcTest {
  @TempDir
  Path directory;

  private static RpcServerBuilder greeter() {
    return RpcServer.builder().addService(new GreeterService());
  }

  private String greeting(RpcChannelBuilder builder) {
    return GreeterClient.of(closing(builder.build())).sayHello("world");
  }

  @Test
  void serverListensOnAllItsAddresses() throws Exception {
    int chosen = RpcChannelTest.freePort();
    RpcServer server = start(
        greeter().address("127.0.0.2", 0).address("127.0.0.1", chosen).address("127.0.0.1", 0));

    assertThat(server.addresses()).hasSize(3).doesNotHaveDuplicates();
    InetSocketAddress first = (InetSocketAddress) server.addresses().get(0);
    assertThat(first.getHostString()).isEqualTo("127.0.0.2");
    assertThat(server.addresses().get(1)).hasToString("/127.0.0.1:" + chosen);
    assertThat(server.address()).isEqualTo(first);
    assertThat(server.port()).isEqualTo(first.getPort());
    for (var each : server.addresses()) {
      InetSocketAddress address = (InetSocketAddress) each;
      assertThat(greeting(RpcChannel.builder().address(address.getHostString(), address.getPort())))
          .isEqualTo("Hello, world!");
    }
    assertThat(server.counters().connectionsOpened()).isEqualTo(3);
  }

  @Test
  void addressOfAllInterfacesKeepsItsPlace() throws Exception {
    RpcServer server =
        start(greeter().address("127.0.0.1", 0).address("0.0.0.0", 0).address("127.0.0.2", 0));

    assertThat(server.addresses())
        .extracting(each -> ((InetSocketAddress) each).getAddress().isAnyLocalAddress())
        .containsExactly(false, true, false);
    assertThat(server.addresses().get(2)).asString().startsWith("/127.0.0.2:");
  }

  @Test
  void addressesAreStillKnownWhenItHasStopped() throws Exception {
    RpcServer server = greeter().address("127.0.0.1", 0).address("127.0.0.2", 0).start();
    var addresses = server.addresses();
    server.close();

    assertThat(server.addresses()).isEqualTo(addresses).hasSize(2);
    for (var each : addresses) {
      Await.until(each + " is free", () -> isFree((InetSocketAddress) each));
    }
  }

  /** The JDK closes a socket a moment after it has been told to. */
  private static boolean isFree(InetSocketAddress address) {
    try (ServerSocket socket = new ServerSocket()) {
      socket.bind(address);
      return true;
    } catch (IOException inUse) {
      return false;
    }
  }

  @Test
  void portInUseAmongSeveralLeavesNothingRunning() throws Exception {
    int free = RpcChannelTest.freePort();
    try (ServerSocket taken =
        new ServerSocket(0, 1, InetAddress.getByAddress(new byte[] {127, 0, 0, 2}))) {
      assertThatExceptionOfType(BindException.class)
          .isThrownBy(
              greeter().address("127.0.0.1", free).address("127.0.0.2", taken.getLocalPort())
                  ::start)
          .withMessageStartingWith("cannot listen on /127.0.0.2:" + taken.getLocalPort() + ": ")
          .withMessageContaining("Address already in use");
    }
    Await.until(
        "the first is free",
        () -> isFree(new InetSocketAddress(InetAddress.getLoopbackAddress(), free)));
  }

  @Test
  void unknownHostAmongSeveralIsNamed() {
    assertThatExceptionOfType(UnknownHostException.class)
        .isThrownBy(greeter().address("127.0.0.1", 0).address("no.such.host.invalid", 0)::start)
        .withMessage("host: no.such.host.invalid (expected: a name that can be resolved)");
  }

  @Test
  void unixSocketIsCalledByPathAndByTarget() throws Exception {
    Path socket = directory.resolve("greeter.sock");
    RpcServer server = start(greeter().path(socket));

    assertThat(server.address()).isEqualTo(UnixDomainSocketAddress.of(socket));
    assertThat(server.port()).isEqualTo(-1);
    assertThat(greeting(RpcChannel.builder().path(socket))).isEqualTo("Hello, world!");
    assertThat(greeting(RpcChannel.builder().target("unix:" + socket))).isEqualTo("Hello, world!");
    assertThat(greeting(RpcChannel.builder().target("unix://" + socket)))
        .isEqualTo("Hello, world!");
    RpcChannel channel = closing(RpcChannel.builder().path(socket).connect());
    assertThat(channel.authority()).isEqualTo("localhost");
  }

  @Test
  void unixSocketIsRemovedAtTheStop() throws Exception {
    Path socket = directory.resolve("greeter.sock");
    RpcServer server = greeter().path(socket).start();
    assertThat(socket).exists();
    server.close();

    assertThat(socket).doesNotExist();
    assertThatExceptionOfType(ConnectException.class)
        .isThrownBy(RpcChannel.builder().path(socket)::connect)
        .withMessageStartingWith("cannot connect to " + socket + ": ");
  }

  @Test
  void unixSocketOfAServerThatWasKilledIsTakenOver() throws Exception {
    Path socket = directory.resolve("greeter.sock");
    try (ServerSocketChannel killed = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      killed.bind(UnixDomainSocketAddress.of(socket));
    }
    assertThat(socket).exists();
    start(greeter().path(socket));

    assertThat(greeting(RpcChannel.builder().path(socket))).isEqualTo("Hello, world!");
  }

  /** It was removed by its name, whosever file had that name by then. */
  @Test
  void stoppedServerLeavesTheSocketOfItsSuccessor() throws Exception {
    Path socket = directory.resolve("greeter.sock");
    RpcServer old = start(greeter().path(socket));
    Files.delete(socket);
    start(greeter().path(socket));

    old.close();

    assertThat(greeting(RpcChannel.builder().path(socket))).isEqualTo("Hello, world!");
    try (Stream<Path> files = Files.list(directory)) {
      assertThat(files).containsExactly(socket);
    }
  }

  @Test
  void unixSocketInUseIsLeftAlone() throws Exception {
    Path socket = directory.resolve("greeter.sock");
    Path file = Files.writeString(directory.resolve("notes.txt"), "keep");
    start(greeter().path(socket));

    assertThatExceptionOfType(BindException.class)
        .isThrownBy(greeter().path(socket)::start)
        .withMessage("cannot listen on " + socket + ": another server listens there");
    assertThatExceptionOfType(BindException.class)
        .isThrownBy(greeter().path(file)::start)
        .withMessage("cannot listen on " + file + ": it exists and is not a socket");
    assertThat(file).hasContent("keep");
    assertThat(greeting(RpcChannel.builder().path(socket))).isEqualTo("Hello, world!");
  }

  @Test
  void unixSocketInNoDirectoryIsNamed() {
    Path socket = directory.resolve("absent").resolve("greeter.sock");

    assertThatExceptionOfType(BindException.class)
        .isThrownBy(greeter().path(socket)::start)
        .withMessageStartingWith("cannot listen on " + socket + ": ");
  }

  @Test
  void unixSocketSpeaksTlsAsLocalhost() throws Exception {
    Certificates certificates = Certificates.in(directory);
    Path socket = directory.resolve("greeter.sock");
    start(greeter().path(socket).tls(certificates.mutualServer()));

    assertThat(greeting(RpcChannel.builder().path(socket).tls(certificates.mutualClient())))
        .isEqualTo("Hello, world!");
  }

  @Test
  void nameOfDnsIsCalledWithTlsAndWithout() throws Exception {
    Certificates certificates = Certificates.in(directory);
    RpcServer plain = start(greeter());
    RpcServer secured = start(greeter().tls(certificates.server()));

    assertThat(greeting(RpcChannel.builder().target("dns:///localhost:" + plain.port())))
        .isEqualTo("Hello, world!");
    assertThat(greeting(RpcChannel.builder()
            .target("dns:///localhost:" + secured.port())
            .tls(certificates.client())))
        .isEqualTo("Hello, world!");
  }

  @Test
  void placesThatContradictEachOtherAreRefused() {
    Path socket = directory.resolve("greeter.sock");

    assertThatIllegalStateException()
        .isThrownBy(greeter().path(socket).port(0)::start)
        .withMessage("path: " + socket + " (expected: neither host, port nor address set)");
    assertThatIllegalStateException()
        .isThrownBy(greeter().address("127.0.0.1", 5).host("localhost")::start)
        .withMessage("address: 127.0.0.1:5 (expected: neither host nor port set)");
    assertThatIllegalStateException()
        .isThrownBy(RpcChannel.builder().path(socket).target("localhost:1")::build)
        .withMessage("places to call: 2 (expected: 1 of target, address, path, inProcessName)");
    assertThatIllegalStateException()
        .isThrownBy(RpcChannel.builder().target("unix://host/path")::build)
        .withMessage("target: unix://host/path (expected: unix:path or unix:///path)");
  }

  @Test
  void connectionOfAServerThatHasNotStartedIsClosed() throws Exception {
    ConnectionTracker connections = new ConnectionTracker(new RpcCounters());
    connections.started(false);

    assertThat(text(failure(() -> connections.transportReady(io.grpc.Attributes.EMPTY))))
        .isEqualTo("UNAVAILABLE: server has not started");
  }

  @Test
  void clientsOfAllAddressesAreCutOffAtTheStop() throws IOException, Exception {
    RpcServer server = start(greeter().address("127.0.0.1", 0).address("127.0.0.2", 0));
    for (var each : server.addresses()) {
      InetSocketAddress address = (InetSocketAddress) each;
      closing(RpcChannel.builder()
          .address(address.getHostString(), address.getPort())
          .connect());
    }
    Await.until("both are there", () -> server.counters().connectionsOpen() == 2);
    server.close();

    assertThat(server.isTerminated()).isTrue();
    assertThat(server.counters().connectionsOpen()).isZero();
  }
}
