package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterGrpc;
import dev.mullion.rpc.greeter.GreeterService;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.opentelemetry.api.OpenTelemetry;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Timer;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The examples of the Javadoc, compiled and run. Each stands here in the same words. */
class JavadocExamplesTest extends RpcTest {
  private static final Path HERE =
      Path.of("src/test/java/dev/mullion/rpc/JavadocExamplesTest.java");
  private static final Pattern PREFORMATTED =
      Pattern.compile("<pre>\\{@code\n(.*?)\n *\\* }</pre>", Pattern.DOTALL);

  private static final Pattern CLASS_NAME = Pattern.compile("\\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\\b");

  private static List<Path> sources() throws IOException {
    try (Stream<Path> files = Files.walk(Path.of("src/main/java"))) {
      return files.filter(file -> file.toString().endsWith(".java")).sorted().toList();
    }
  }

  @ParameterizedTest
  @MethodSource("sources")
  void examplesAreCompiled(Path source) throws IOException {
    String javadoc = Files.readString(source);
    String compiled = words(Files.readString(HERE));
    List<String> shown =
        PREFORMATTED.matcher(javadoc).results().map(found -> found.group(1)).toList();

    assertThat(shown)
        .as("examples of %s that are not compiled as they are shown", source)
        .filteredOn(example -> !isDrawing(example))
        .filteredOn(example -> !compiled.contains(words(withoutStars(example))))
        .isEmpty();
    // Nothing hides behind other tags.
    assertThat(shown)
        .as("blocks of %s", source)
        .hasSize(javadoc.split("<pre|@snippet", -1).length - 1);
  }

  private static boolean isDrawing(String preformatted) {
    return preformatted.contains("---") && !preformatted.contains(";");
  }

  /** A picture of the source is wrong as soon as a class has another name. */
  @ParameterizedTest
  @MethodSource("sources")
  void drawingsNameClassesThatThereAre(Path source) throws IOException {
    List<String> names = PREFORMATTED
        .matcher(Files.readString(source))
        .results()
        .map(found -> found.group(1))
        .filter(JavadocExamplesTest::isDrawing)
        .flatMap(drawing -> CLASS_NAME.matcher(drawing).results())
        .map(MatchResult::group)
        .toList();

    assertThat(names)
        .allSatisfy(name -> assertThat(source.resolveSibling(name + ".java")).exists());
  }

  private static String withoutStars(String comment) {
    return comment.replaceAll("(?m)^ *\\*", "");
  }

  /** The layout is not the same in both. */
  private static String words(String code) {
    return code.replaceAll("\\s+", "");
  }

  private static String printed(Callable<?> printing) throws Exception {
    PrintStream out = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setOut(new PrintStream(printed, true, UTF_8));
    try {
      printing.call();
    } finally {
      System.setOut(out);
    }
    return printed.toString(UTF_8);
  }

  @Test
  void serverSaysWhereItListens() throws Exception {
    String said = printed(() -> {
      // So that it does not wait.
      Thread.currentThread().interrupt();
      assertThatExceptionOfType(InterruptedException.class).isThrownBy(() -> serve(0));
      return Thread.interrupted();
    });

    assertThat(said).matches("listening on /127.0.0.1:[1-9]\\d+\\R");
  }

  private static void serve(int port) throws IOException, InterruptedException {
    try (RpcServer server = RpcServer.builder()
        .port(port)
        .addService(new GreeterService())
        .defaultTimeout(Duration.ofSeconds(10))
        .mapException(FileNotFoundException.class, missing -> Status.NOT_FOUND)
        .start()) {
      System.out.println("listening on " + server.address());
      server.awaitTermination();
    }
  }

  @Test
  void channelPrintsTheGreeting() throws Exception {
    RpcServer server = start(RpcServer.builder().addService(new GreeterService()));

    assertThat(printed(() -> {
          callOverAChannel(server.port());
          return null;
        }))
        .isEqualTo("Hello, world!" + System.lineSeparator());
  }

  private static void callOverAChannel(int port) {
    try (RpcChannel channel = RpcChannel.builder()
        .address("localhost", port)
        .defaultTimeout(Duration.ofSeconds(10))
        .retryPolicy(RetryPolicy.defaults())
        .build()) {
      System.out.println(GreeterClient.of(channel).sayHello("world"));
    }
  }

  @Test
  void greetingAndClient() throws Exception {
    GreeterService service = GreeterService.greeting(name -> "Good morning, " + name + "!");

    assertThat(greet(channel(start(RpcServer.builder().addService(service)))))
        .isEqualTo("Good morning, world! Good morning, world!");
  }

  private static String greet(Channel channel) {
    GreeterClient client = GreeterClient.of(channel);
    String greeting = client.sayHello("world");
    CompletableFuture<String> later = client.sayHelloAsync("world", Duration.ofSeconds(10));
    return greeting + " " + later.join();
  }

  @Test
  void valuesAreMade() {
    Keepalive keepalive = Keepalive.defaults().time(Duration.ofSeconds(20)).withoutCalls(true);
    RetryPolicy policy = RetryPolicy.builder()
        .maxAttempts(4)
        .initialBackoff(Duration.ofMillis(50))
        .retryOn(Status.Code.UNAVAILABLE, Status.Code.ABORTED)
        .build();
    HedgingPolicy hedging = HedgingPolicy.builder()
        .maxAttempts(3)
        .hedgingDelay(Duration.ofMillis(30))
        .nonFatalStatusCodes(Status.Code.UNAVAILABLE, Status.Code.RESOURCE_EXHAUSTED)
        .build();

    assertThat(hedging.maxAttempts()).isEqualTo(3);
    assertThat(keepalive.permitted()).isEqualTo(Duration.ofSeconds(16));
    assertThat(policy.maxAttempts()).isEqualTo(4);
  }

  private interface ChatStub {
    StreamObserver<HelloRequest> chat(StreamObserver<HelloReply> replies);
  }

  @Test
  void streamsAreWrittenAndRead() throws Exception {
    List<String> names = Collections.synchronizedList(new ArrayList<>());
    RpcServer server = start(RpcServer.builder()
        .addService(
            TestService.stream((request, observer) -> greetAll(List.of("a", "b"), observer))));
    RpcServer chatting = start(RpcServer.builder()
        .addService(TestService.bidi(observer ->
            RpcMethod.clientStreaming(observer, (StreamReader<HelloRequest> requests) -> {
              readNames(requests, names);
              return HelloReply.newBuilder().setMessage(String.join(" ", names)).build();
            }))));
    Channel toChat = channel(chatting);
    List<String> greetings = new ArrayList<>();

    stream(channel(server)).forEachRemaining(reply -> greetings.add(reply.getMessage()));
    String said = printed(() -> {
      chat(replies -> ClientCalls.asyncBidiStreamingCall(
          toChat.newCall(TestService.BIDI, CallOptions.DEFAULT), replies));
      return null;
    });

    assertThat(greetings).containsExactly("Hello, a!", "Hello, b!");
    assertThat(said).isEqualTo("world" + System.lineSeparator());
  }

  private static void greetAll(List<String> names, StreamObserver<HelloReply> observer) {
    StreamWriter<HelloReply> replies = StreamWriter.of(observer);
    for (String name : names) {
      replies.write(HelloReply.newBuilder().setMessage("Hello, " + name + "!").build());
    }
    replies.complete();
  }

  private static void readNames(StreamReader<HelloRequest> requests, List<String> names) {
    for (HelloRequest request : requests) {
      names.add(request.getName());
    }
  }

  private static void chat(ChatStub stub) {
    try (ClientStream<HelloRequest, HelloReply> chat = ClientStream.open(stub::chat)) {
      chat.requests().write(HelloRequest.newBuilder().setName("world").build());
      chat.requests().complete();
      for (HelloReply reply : chat.replies()) {
        System.out.println(reply.getMessage());
      }
    }
  }

  /** A method of a generated base. */
  private static final class Functions extends GreeterGrpc.GreeterImplBase {
    @Override
    public void sayHello(HelloRequest request, StreamObserver<HelloReply> observer) {
      RpcMethod.unary(observer, () -> greet(request.getName()));
    }

    private static HelloReply greet(String name) {
      return HelloReply.newBuilder().setMessage("Hi, " + name).build();
    }
  }

  @Test
  void methodIsAFunction() throws Exception {
    RpcServer server = start(RpcServer.builder().addService(new Functions()));

    assertThat(GreeterClient.of(channel(server)).sayHello("Ada")).isEqualTo("Hi, Ada");
  }

  @Test
  void signalEndsWhatTicks() throws Exception {
    RpcServer server =
        start(RpcServer.builder().addService(TestService.stream((request, replies) -> {
          ends(new Timer(true) {
            @Override
            public void cancel() {
              super.cancel();
              replies.onCompleted();
            }
          });
          replies.onNext(HelloReply.getDefaultInstance());
        })));
    Iterator<HelloReply> replies = stream(channel(server));
    replies.next();

    assertThat(server.stop(Duration.ofSeconds(20)).cut()).isZero();
    assertThat(replies.hasNext()).isFalse();
  }

  private static void ends(Timer ticks) {
    StopSignal.current().onGiven(ticks::cancel);
  }

  /** Queued replies. */
  private interface Frames {
    void writeWhileReady();
  }

  @Test
  void signalWritesWhatIsQueued() throws Exception {
    CompletableFuture<Boolean> written = new CompletableFuture<>();
    RpcServer server =
        start(RpcServer.builder().addService(TestService.stream((request, replies) -> {
          writes(() -> {
            if (written.complete(true)) {
              replies.onCompleted();
            }
          });
          replies.onNext(
              HelloReply.newBuilder().setMessage("x".repeat(64 * 1024)).build());
        })));

    assertThat(stream(channel(server)).next().getMessage()).hasSize(64 * 1024);
    assertThat(written.get(30, TimeUnit.SECONDS)).isTrue();
  }

  private static void writes(Frames queue) {
    ReadySignal.current().onReady(queue::writeWhileReady);
  }

  @Test
  void observersShowServersAndChannels() throws Exception {
    SimpleMeterRegistry registry = new SimpleMeterRegistry();
    RpcServer server = serving(measured(registry));
    RpcChannel channel = closing(traced(OpenTelemetry.noop(), server.port()));

    assertThat(GreeterClient.of(channel).sayHello("x")).isEqualTo("Hello, x!");
    Await.until(
        "the call is measured", () -> registry.find("mullion.rpc.server.calls").timer() != null);
  }

  private static RpcServer measured(MeterRegistry registry) throws IOException {
    RpcServer server = RpcServer.builder()
        .addService(new GreeterService())
        .observe(MicrometerObserver.of(registry))
        .start();
    return server;
  }

  private static RpcChannel traced(OpenTelemetry openTelemetry, int port) {
    RpcChannel channel = RpcChannel.builder()
        .address("localhost", port)
        .observe(OpenTelemetryObserver.of(openTelemetry))
        .build();
    return channel;
  }
}
