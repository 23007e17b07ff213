package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.ClassesWithout;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;

/**
 * Micrometer, OpenTelemetry and xDS may be absent. The builders had types of theirs in their
 * signatures: whoever listed their methods, such as Spring or a mock, got a NoClassDefFoundError.
 */
class OptionalLibrariesTest extends RpcTest {
  /** These and what only they use are for those that have the library. */
  private static final Set<String> DOORS = Set.of("MicrometerObserver", "OpenTelemetryObserver");

  private static final Set<String> BEHIND_THE_DOORS = Set.of(
      "TracePropagation",
      "TracePropagation$Traced",
      "GuardedTelemetry",
      "ClientMeters",
      "MethodMeters",
      "ServerMeters");

  private static boolean isOptional(String entry) {
    return entry.matches(".*(micrometer|opentelemetry|grpc-xds)[^/]*");
  }

  private static ClassesWithout withoutOptional() throws IOException {
    return new ClassesWithout(RpcServer.class, OptionalLibrariesTest::isOptional);
  }

  @Test
  void allClassesCanBeReflectedOn() throws Exception {
    try (ClassesWithout classes = withoutOptional()) {
      List<String> failed = classes.unreadable().keySet().stream()
          .map(name -> name.substring(name.lastIndexOf('.') + 1))
          .filter(name -> DOORS.stream().noneMatch(name::startsWith))
          .filter(name -> !BEHIND_THE_DOORS.contains(name.replaceAll("(\\w+Meters).*", "$1")))
          .toList();

      assertThat(failed).isEmpty();
      // The test would see it.
      assertThat(classes.unreadable().keySet())
          .contains("dev.mullion.rpc.MicrometerObserver", "dev.mullion.rpc.OpenTelemetryObserver");
      assertThat(classes.names()).contains(RpcServerBuilder.class.getName()).hasSizeGreaterThan(80);
    }
  }

  /** Runs in a JVM of its own, with no optional library. */
  public static final class Greeting {
    private Greeting() {}

    /** Prints the reply to a call. */
    public static void main(String[] args) throws IOException {
      try (RpcServer server = RpcServer.builder()
              .addService(new GreeterService())
              .accessLog(call -> {})
              .start();
          RpcChannel channel =
              RpcChannel.builder().address("127.0.0.1", server.port()).build()) {
        System.out.println(GreeterClient.of(channel).sayHello("x"));
      }
    }
  }

  @Test
  void serverAndChannelWorkWithoutThem() throws Exception {
    Process greeting = ClassPath.java(entry -> !isOptional(entry), Greeting.class);
    closing(greeting::destroyForcibly);

    assertThat(greeting.inputReader(UTF_8).lines()).containsExactly("Hello, x!");
    assertThat(greeting.waitFor()).isZero();
  }

  /** Is loaded again, and asks for what is absent; the arguments are not looked at. */
  @SuppressWarnings("NullAway")
  public static final class Asking implements Callable<String> {
    private final int which;

    /** Called by reflection. */
    public Asking(int which) {
      this.which = which;
    }

    @Override
    public String call() {
      switch (which) {
        case 0 -> MicrometerObserver.of(null);
        case 1 -> OpenTelemetryObserver.of(null);
        default -> RpcChannel.builder().target("xds:///x").build();
      }
      return "no failure";
    }
  }

  @Test
  void whatIsAbsentIsNamed() throws Exception {
    try (ClassesWithout classes = withoutOptional()) {
      Constructor<?> asking = classes.load(Asking.class.getName()).getConstructor(int.class);
      String micrometer = "micrometer needs io.micrometer:micrometer-core on the class path";
      String telemetry = "openTelemetry needs io.grpc:grpc-opentelemetry on the class path";
      List<String> expected = List.of(
          micrometer, telemetry, "target: xds:///x needs io.grpc:grpc-xds on the class path");

      for (int i = 0; i < expected.size(); i++) {
        Callable<?> asked = (Callable<?>) asking.newInstance(i);
        assertThatThrownBy(asked::call)
            .isInstanceOf(IllegalStateException.class)
            .hasMessage(expected.get(i));
      }
    }
  }
}
