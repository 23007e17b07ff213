package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterGrpc;
import dev.mullion.rpc.greeter.GreeterService;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Status;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Timeouts of single methods, on both sides. */
class MethodTimeoutsTest extends RpcTest {
  private static final String METHOD = GreeterGrpc.getSayHelloMethod().getFullMethodName();
  private static final String SERVICE = GreeterGrpc.SERVICE_NAME;
  private final CompletableFuture<Optional<Deadline>> seen = new CompletableFuture<>();

  private RpcServerBuilder greeter() {
    return RpcServer.builder().addService(GreeterService.greeting(name -> {
      seen.complete(Optional.ofNullable(Context.current().getDeadline()));
      return "hi";
    }));
  }

  private Deadline deadline(RpcServerBuilder builder) throws Exception {
    GreeterClient.of(channel(start(builder))).sayHello("x");
    return seen.get().orElseThrow();
  }

  @Test
  void methodsOwnTimeoutEndsTheCall() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .timeout(TestService.UNARY, Duration.ofMillis(100))
        .defaultTimeout(Duration.ofMinutes(1))
        .addService(TestService.unary((request, replies) -> awaitRelease())));

    assertThat(text(failure(() -> call(channel(server)))))
        .isEqualTo("DEADLINE_EXCEEDED: call took longer than its timeout PT0.1S");
    Await.until("it is counted", () -> server.counters().callsTimedOut() == 1);
  }

  @Test
  void methodsOwnTimeoutMayBeLongerThanTheOthers() throws Exception {
    RpcServerBuilder builder = greeter()
        .defaultTimeout(Duration.ofMinutes(1))
        .maxTimeout(Duration.ofMinutes(2))
        .timeout(GreeterGrpc.getSayHelloMethod(), Duration.ofHours(1));

    assertThat(deadline(builder).timeRemaining(TimeUnit.MINUTES)).isBetween(50L, 60L);
  }

  @Test
  void methodsOwnTimeoutGoesBeforeItsServices() throws Exception {
    RpcServerBuilder builder =
        greeter().timeout(SERVICE, Duration.ofMinutes(1)).timeout(METHOD, Duration.ofHours(1));

    assertThat(deadline(builder).timeRemaining(TimeUnit.MINUTES)).isBetween(50L, 60L);
  }

  @Test
  void servicesTimeoutIsThatOfItsMethods() throws Exception {
    RpcServerBuilder builder = greeter().timeout(SERVICE, Duration.ofHours(1));

    assertThat(deadline(builder).timeRemaining(TimeUnit.MINUTES)).isBetween(50L, 60L);
  }

  @Test
  void laterDeadlineIsCutToIt() throws Exception {
    RpcServer server = start(greeter().timeout(METHOD, Duration.ofHours(1)));

    GreeterClient.of(channel(server)).sayHello("x", Duration.ofHours(5));

    assertThat(seen.get().orElseThrow().timeRemaining(TimeUnit.MINUTES)).isBetween(50L, 60L);
  }

  @Test
  void zeroSetsNoLimit() throws Exception {
    RpcServer server =
        start(greeter().defaultTimeout(Duration.ofMinutes(1)).timeout(METHOD, Duration.ZERO));

    GreeterClient.of(channel(server)).sayHello("x");

    assertThat(seen.get()).isEmpty();
  }

  @Test
  void unknownMethodIsRefusedAtTheStart() {
    assertThatIllegalStateException()
        .isThrownBy(() ->
            greeter().timeout("hello.Greeter/SayGoodbye", Duration.ofSeconds(1)).start())
        .withMessage("timeout of hello.Greeter/SayGoodbye"
            + " (expected: one of hello.Greeter, hello.Greeter/SayHello)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> greeter().timeout(METHOD, Duration.ofSeconds(-1)))
        .withMessage("timeout: PT-1S (expected: >= PT0S)");
  }

  @Test
  void channelGivesAMethodItsOwnTimeoutAlsoLater() throws Exception {
    RpcServer server = start(
        RpcServer.builder().addService(TestService.unary((request, replies) -> awaitRelease())));
    RpcChannel channel = closing(RpcChannel.builder()
        .address("127.0.0.1", server.port())
        .defaultTimeout(Duration.ofHours(1))
        .closeTimeout(Duration.ZERO)
        .timeout(TestService.UNARY, Duration.ofMillis(100))
        .build());

    assertThat(failure(() -> call(channel)).getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);

    channel.setTimeout("test.Service/Unary", Duration.ofSeconds(2));

    // A little less than that was left when the call began.
    assertThat(failure(() -> call(channel)).getDescription()).matches("(?s).*[12]\\.\\d+s.*");
  }

  @Test
  void defaultOfARunningChannelChanges() throws Exception {
    RpcServer server = start(greeter());
    RpcChannel channel =
        closing(RpcChannel.builder().address("127.0.0.1", server.port()).build());

    channel.setDefaultTimeout(Duration.ofHours(1));
    GreeterClient.of(channel).sayHello("x");

    assertThat(seen.get().orElseThrow().timeRemaining(TimeUnit.MINUTES)).isBetween(50L, 60L);
  }
}
