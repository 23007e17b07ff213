package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.mullion.framing.tcp.EchoServerBuilder;
import dev.mullion.framing.tcp.FramedClient;
import dev.mullion.framing.tcp.FramedClientBuilder;
import dev.mullion.framing.tcp.FramedServer;
import dev.mullion.framing.tcp.FramedServerBuilder;
import dev.mullion.net.Tls;
import dev.mullion.rpc.greeter.GreeterService;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Framed and gRPC servers have the same words for the same settings, and throw the same exception
 * at the same time for the same mistake.
 */
class VocabularyTest {
  private static final Executor EXECUTOR = Runnable::run;

  @TempDir
  static Path directory;

  @Test
  void commonSettingsHaveOneName() {
    List<String> ofServers = List.of(
        "host",
        "port",
        "path",
        "tls",
        "executor",
        "maxHandlerThreads",
        "handlerThreadTimeout",
        "maxConnections",
        "closeTimeout",
        "shutdownHook",
        "observe");
    assertThat(names(RpcServerBuilder.class)).containsAll(ofServers);
    assertThat(names(FramedServerBuilder.class)).containsAll(ofServers);
    List<String> ofClients = List.of("path", "tls", "connectTimeout", "closeTimeout", "observe");
    assertThat(names(RpcChannelBuilder.class)).containsAll(ofClients);
    assertThat(names(FramedClientBuilder.class)).containsAll(ofClients);
    assertThat(names(EchoServerBuilder.class))
        .contains("host", "port", "maxConnections", "closeTimeout", "shutdownHook");
  }

  private static Set<String> names(Class<?> builder) {
    return Arrays.stream(builder.getMethods()).map(Method::getName).collect(Collectors.toSet());
  }

  /** What starts a server, or fails. */
  private interface Mistake {
    void make() throws Exception;
  }

  private static Arguments same(String name, Mistake framed, Mistake grpc) {
    return Arguments.of(name, framed, grpc);
  }

  private static FramedServerBuilder framed() {
    return FramedServer.builder().handler(connection -> {});
  }

  private static RpcServerBuilder grpc() {
    return RpcServer.builder().addService(new GreeterService());
  }

  @SuppressWarnings("NullAway") // It is what the test is about.
  static Stream<Arguments> mistakesOfSetters() {
    return Stream.of(
        same("no host", () -> framed().host(null), () -> grpc().host(null)),
        same("blank host", () -> framed().host(" "), () -> grpc().host(" ")),
        same("host with port", () -> framed().host("a:1"), () -> grpc().host("a:1")),
        same("host as target", () -> framed().host("dns:///a"), () -> grpc().host("dns:///a")),
        same("port", () -> framed().port(65536), () -> grpc().port(65536)),
        same("no path", () -> framed().path(null), () -> grpc().path(null)),
        same("no tls", () -> framed().tls(null), () -> grpc().tls(null)),
        same("tls of a client", () -> framed().tls(Tls.client()), () -> grpc().tls(Tls.client())),
        same("no executor", () -> framed().executor(null), () -> grpc().executor(null)),
        same(
            "maxHandlerThreads 0",
            () -> framed().maxHandlerThreads(0),
            () -> grpc().maxHandlerThreads(0)),
        same(
            "too many threads",
            () -> framed().maxHandlerThreads(1_000_001),
            () -> grpc().maxHandlerThreads(1_000_001)),
        same(
            "handlerThreadTimeout",
            () -> framed().handlerThreadTimeout(Duration.ofNanos(1)),
            () -> grpc().handlerThreadTimeout(Duration.ofNanos(1))),
        same("maxConnections", () -> framed().maxConnections(0), () -> grpc().maxConnections(0)),
        same(
            "closeTimeout",
            () -> framed().closeTimeout(Duration.ofMillis(-1)),
            () -> grpc().closeTimeout(Duration.ofMillis(-1))),
        same(
            "tls of a server",
            () -> FramedClient.builder().tls(Tls.server(directory, directory)),
            () -> RpcChannel.builder().tls(Tls.server(directory, directory))),
        same(
            "connectTimeout",
            () -> FramedClient.builder().connectTimeout(Duration.ZERO),
            () -> RpcChannel.builder().connectTimeout(Duration.ZERO)));
  }

  static Stream<Arguments> mistakesOfStarts() {
    Path none = directory.resolve("none.pem");
    return Stream.of(
        same(
            "files of a server",
            framed().tls(Tls.server(none, none))::start,
            grpc().tls(Tls.server(none, none))::start),
        same(
            "files of a client",
            FramedClient.builder().port(1).tls(Tls.client().trusting(none))::connect,
            RpcChannel.builder().address("x", 1).tls(Tls.client().trusting(none))::connect));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource({"mistakesOfSetters", "mistakesOfStarts"})
  void sameMistakeHasTheSameException(String name, Mistake framed, Mistake grpc) {
    Throwable ofFramed = catchThrowable(framed::make);
    Throwable ofGrpc = catchThrowable(grpc::make);

    assertThat(ofGrpc).isNotNull().hasMessage(ofFramed.getMessage());
    assertThat(ofFramed).isExactlyInstanceOf(ofGrpc.getClass());
  }

  /** The texts differ because the modules exclude different settings. */
  @Test
  void settingsThatExcludeEachOtherAreRejectedAtTheStart() {
    Path socket = directory.resolve("a.sock");
    assertThat(catchThrowable(framed().path(socket).port(0)::start))
        .isExactlyInstanceOf(IllegalStateException.class)
        .hasMessage("path: " + socket + " (expected: no port set)");
    assertThat(catchThrowable(grpc().path(socket).port(0)::start))
        .isExactlyInstanceOf(IllegalStateException.class)
        .hasMessage("path: " + socket + " (expected: neither host, port nor address set)");
    assertThat(catchThrowable(framed().maxHandlerThreads(5).executor(EXECUTOR)::start))
        .isExactlyInstanceOf(IllegalStateException.class)
        .hasMessage("maxHandlerThreads: 5 (expected: no executor set)");
    assertThat(catchThrowable(grpc().maxHandlerThreads(5).executor(EXECUTOR)::start))
        .isExactlyInstanceOf(IllegalStateException.class)
        .hasMessage("maxHandlerThreads: 5 (expected: neither directExecutor nor executor set)");
  }
}
