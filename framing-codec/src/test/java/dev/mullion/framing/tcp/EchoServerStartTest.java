package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.netty.channel.kqueue.KQueue;
import java.net.BindException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What keeps a server from starting; nothing is left running then. */
@Timeout(60)
class EchoServerStartTest {
  private static final Map<Transport, String> IN_USE = Map.of(
      Transport.NIO, "Address already in use",
      Transport.EPOLL, "bind(..) failed with error(-98): Address already in use",
      Transport.IO_URING, "bind(..) failed with error(-98): Address already in use");

  @AfterEach
  void nothingIsLeftRunning() throws Exception {
    EchoServers.awaitNoThreads();
  }

  @ParameterizedTest
  @MethodSource("dev.mullion.framing.tcp.EchoServers#transports")
  void portInUse(Transport transport) throws Exception {
    try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      int port = other.getLocalPort();

      assertThatThrownBy(
              () -> EchoServer.builder().transport(transport).port(port).start())
          .isExactlyInstanceOf(BindException.class)
          .hasMessage("cannot listen on /127.0.0.1:" + port + ": " + IN_USE.get(transport))
          .hasCauseInstanceOf(java.io.IOException.class);
    }
  }

  @Test
  void addressOfAnotherMachine() {
    assertThatThrownBy(() ->
            EchoServer.builder().transport(Transport.NIO).host("192.0.2.1").start())
        .isExactlyInstanceOf(BindException.class)
        .hasMessage("cannot listen on /192.0.2.1:0: Cannot assign requested address");
  }

  @Test
  void nameThatDoesNotResolve() {
    assertThatThrownBy(() -> EchoServer.builder().host("no-such-host.invalid").start())
        .isExactlyInstanceOf(UnknownHostException.class)
        .hasMessage("host: no-such-host.invalid cannot be resolved")
        .hasCauseInstanceOf(UnknownHostException.class);
  }

  @Test
  void transportOfAnotherSystem() {
    assumeTrue(!Transport.KQUEUE.isAvailable(), "this system has kqueue");
    assertThatThrownBy(() -> EchoServer.builder().transport(Transport.KQUEUE).start())
        .isExactlyInstanceOf(IllegalStateException.class)
        .hasMessage("transport: KQUEUE is not available: "
            + KQueue.unavailabilityCause()
            + " (expected: AUTO, NIO, or io.netty:netty-transport-classes-kqueue and"
            + " io.netty:netty-transport-native-kqueue with the classifier osx-"
            + System.getProperty("os.arch")
                .replace("amd64", "x86_64")
                .replace("aarch64", "aarch_64")
            + " on the class path and an operating system that supports it)")
        .hasCause(KQueue.unavailabilityCause());
  }

  @Test
  void autoAndNioAreAvailableEverywhere() {
    assertThat(Transport.AUTO.isAvailable()).isTrue();
    assertThat(Transport.NIO.isAvailable()).isTrue();
  }

  @Test
  void portOutOfRange() {
    refused(b -> b.port(-1), "port: -1 (expected: 0 to 65535)");
    refused(b -> b.port(65536), "port: 65536 (expected: 0 to 65535)");
    EchoServer.builder().port(0).port(65535);
  }

  @Test
  void blankHost() {
    refused(b -> b.host(""), "host: \"\" (expected: a name or address)");
    refused(b -> b.host(" "), "host: \" \" (expected: a name or address)");
  }

  @Test
  void threadsOutOfRange() {
    refused(b -> b.eventLoopThreads(0), "eventLoopThreads: 0 (expected: 1 to 1024)");
    refused(b -> b.eventLoopThreads(1025), "eventLoopThreads: 1025 (expected: 1 to 1024)");
    EchoServer.builder().eventLoopThreads(1).eventLoopThreads(1024);
  }

  @Test
  void noConnections() {
    refused(b -> b.maxConnections(0), "maxConnections: 0 (expected: >= 1)");
    EchoServer.builder().maxConnections(1).maxConnections(Integer.MAX_VALUE);
  }

  @Test
  void negativeTimeouts() {
    refused(
        b -> b.idleTimeout(Duration.ofMillis(-1)), "idleTimeout: PT-0.001S (expected: >= PT0S)");
    refused(b -> b.closeTimeout(Duration.ofSeconds(-5)), "closeTimeout: PT-5S (expected: >= PT0S)");
    EchoServer.builder().idleTimeout(Duration.ZERO).closeTimeout(Duration.ZERO);
  }

  private static void refused(Consumer<EchoServerBuilder> setting, String text) {
    assertThatThrownBy(() -> setting.accept(EchoServer.builder()))
        .isExactlyInstanceOf(IllegalArgumentException.class)
        .hasMessage(text);
  }

  @Test
  @SuppressWarnings("NullAway") // It is what the test is about.
  void nullSettingsAreNamed() {
    isNull(b -> b.host(null), "host");
    isNull(b -> b.format(null), "format");
    isNull(b -> b.transport(null), "transport");
    isNull(b -> b.idleTimeout(null), "idleTimeout");
    isNull(b -> b.closeTimeout(null), "closeTimeout");
  }

  private static void isNull(Consumer<EchoServerBuilder> setting, String name) {
    assertThatThrownBy(() -> setting.accept(EchoServer.builder()))
        .isExactlyInstanceOf(NullPointerException.class)
        .hasMessage(name);
  }
}
