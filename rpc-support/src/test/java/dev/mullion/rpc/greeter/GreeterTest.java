package dev.mullion.rpc.greeter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.rpc.BadRequest;
import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.ErrorDetails;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Over gRPC's own server and channel, which nothing of Mullion's is part of. */
@Timeout(90)
class GreeterTest {
  private final CountDownLatch released = new CountDownLatch(1);
  private final List<AutoCloseable> open = new ArrayList<>();

  private GreeterClient client(GreeterService service) throws IOException {
    return client(service.bindService());
  }

  private GreeterClient client(ServerServiceDefinition service) throws IOException {
    Server server = NettyServerBuilder.forAddress(
            new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
        .addService(service)
        .build()
        .start();
    open.add(() -> server.shutdownNow().awaitTermination());
    ManagedChannel channel = NettyChannelBuilder.forAddress("127.0.0.1", server.getPort())
        .usePlaintext()
        .build();
    open.add(() -> channel.shutdownNow().awaitTermination(10, TimeUnit.SECONDS));
    return GreeterClient.of(channel);
  }

  @AfterEach
  void stop() throws Exception {
    released.countDown();
    for (AutoCloseable each : open) {
      each.close();
    }
  }

  @Test
  void pathIsThatOfTheContract() {
    assertThat(GreeterGrpc.getSayHelloMethod().getFullMethodName())
        .isEqualTo("hello.Greeter/SayHello");
  }

  @Test
  void nameIsGreeted() throws Exception {
    GreeterClient client = client(new GreeterService());

    assertThat(client.sayHello("world")).isEqualTo("Hello, world!");
    assertThat(client.sayHello("Zoë", Duration.ofSeconds(10))).isEqualTo("Hello, Zoë!");
    assertThat(client.sayHello("x", Deadline.after(10, TimeUnit.SECONDS))).isEqualTo("Hello, x!");
    assertThat(client.sayHelloAsync("world").get()).isEqualTo("Hello, world!");
    assertThat(client.sayHelloAsync("y", Duration.ofSeconds(10)).get()).isEqualTo("Hello, y!");
  }

  @Test
  void greetingIsAFunction() throws Exception {
    GreeterService service = GreeterService.greeting(name -> "Good morning, " + name + "!");

    assertThat(client(service).sayHello("world")).isEqualTo("Good morning, world!");
  }

  @Test
  void longestNameIsGreeted() throws Exception {
    String name = "n".repeat(GreeterService.MAX_NAME_LENGTH);

    assertThat(client(new GreeterService()).sayHello(name)).isEqualTo("Hello, " + name + "!");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, GreeterService.MAX_NAME_LENGTH + 1})
  void emptyOrOverLongNameIsInvalid(int length) throws Exception {
    GreeterClient client = client(new GreeterService());
    String text = "name: " + length + " characters (expected: 1 to 256)";

    StatusRuntimeException refused = catchThrowableOfType(
        StatusRuntimeException.class, () -> client.sayHello("n".repeat(length)));

    assertThat(refused).hasMessage("INVALID_ARGUMENT: " + text);
    assertThat(ErrorDetails.find(refused, BadRequest.class))
        .contains(BadRequest.newBuilder()
            .addFieldViolations(
                BadRequest.FieldViolation.newBuilder().setField("name").setDescription(text))
            .build());
    assertThat(ErrorDetails.find(refused, HelloReply.class)).isEmpty();
  }

  @Test
  void lateGreetingIsNotWaitedFor() throws Exception {
    GreeterClient client = client(GreeterService.greeting(this::stuck));

    StatusRuntimeException late = catchThrowableOfType(
        StatusRuntimeException.class, () -> client.sayHello("x", Duration.ofMillis(50)));
    Throwable lateToo = catchThrowableOfType(
            CompletionException.class,
            () -> client.sayHelloAsync("x", Duration.ofMillis(50)).join())
        .getCause();

    assertThat(late.getStatus().getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
    assertThat(Status.fromThrowable(lateToo).getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
  }

  private String stuck(String name) {
    try {
      released.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return name;
  }

  @Test
  void cancelledFutureCancelsTheCall() throws Exception {
    CompletableFuture<Context> called = new CompletableFuture<>();
    GreeterClient client = client(GreeterService.greeting(name -> {
      called.complete(Context.current());
      return stuck(name);
    }));

    CompletableFuture<String> greeting = client.sayHelloAsync("world");
    Context context = called.get();
    assertThat(context.isCancelled()).isFalse();
    greeting.cancel(true);

    Await.until("the server's context is cancelled", context::isCancelled);
  }

  @Test
  void replyBeforeAnErrorIsNoGreeting() throws Exception {
    GreeterGrpc.AsyncService breaking = new GreeterGrpc.AsyncService() {
      @Override
      public void sayHello(HelloRequest request, StreamObserver<HelloReply> replies) {
        replies.onNext(HelloReply.newBuilder().setMessage("half").build());
        replies.onError(Status.DATA_LOSS.withDescription("broken").asRuntimeException());
      }
    };
    GreeterClient client = client(GreeterGrpc.bindService(breaking));

    assertThat(catchThrowableOfType(
            CompletionException.class, () -> client.sayHelloAsync("world").join()))
        .hasRootCauseMessage("DATA_LOSS: broken");
  }

  @Test
  void timeoutThatIsNotPositiveIsRefused() throws Exception {
    GreeterClient client = client(new GreeterService());

    assertThatIllegalArgumentException()
        .isThrownBy(() -> client.sayHello("x", Duration.ZERO))
        .withMessage("timeout: PT0S (expected: > PT0S)");
  }
}
