package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import dev.mullion.net.StopReport;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Where code of the user's runs that a call's end or a stop calls: never on an event loop or a
 * timer, where all other calls would wait for it.
 */
class CallbackThreadsTest extends RpcTest {
  private static final HelloRequest QUICK =
      HelloRequest.newBuilder().setName("quick").build();

  enum Mode {
    DEFAULT,
    EXECUTOR,
    DIRECT
  }

  @SuppressWarnings("ImmutableEnumChecker") // Nobody changes them.
  enum Kind {
    UNARY(TestService.UNARY, "context", "stage", "signal"),
    SERVER_STREAMING(
        TestService.STREAM, "context", "signal", "writer cancelled", "writer stopping"),
    BIDI(TestService.BIDI, "context", "signal", "writer cancelled", "writer stopping"),
    /** A plain observer with gRPC's own handler. */
    OBSERVER(TestService.STREAM, "context", "signal", "handler");

    final MethodDescriptor<HelloRequest, HelloReply> method;
    final Set<String> callbacks;

    Kind(MethodDescriptor<HelloRequest, HelloReply> method, String... callbacks) {
      this.method = method;
      this.callbacks = Set.of(callbacks);
    }
  }

  enum End {
    CLIENT_CANCELS,
    CLIENT_DEADLINE,
    SERVER_TIMEOUT,
    STOP
  }

  record Row(Mode mode, Kind kind, End end) {
    /**
     * With directExecutor bodies must not wait, and an observer's handlers are where bodies are.
     */
    boolean isPossible() {
      return mode != Mode.DIRECT || kind == Kind.UNARY || kind == Kind.OBSERVER;
    }

    Set<String> expected() {
      Set<String> names = new TreeSet<>(kind.callbacks);
      boolean stops = end == End.STOP;
      names.removeIf(each -> stops != (each.equals("signal") || each.equals("writer stopping")));
      if (mode == Mode.DIRECT) {
        names.remove("handler");
      }
      return names;
    }
  }

  static List<Row> rows() {
    List<Row> rows = new ArrayList<>();
    for (Mode mode : Mode.values()) {
      for (Kind kind : Kind.values()) {
        for (End end : End.values()) {
          Row row = new Row(mode, kind, end);
          if (row.isPossible()) {
            rows.add(row);
          }
        }
      }
    }
    return rows;
  }

  private RpcServerBuilder server(Mode mode) {
    RpcServerBuilder builder = RpcServer.builder();
    return switch (mode) {
      case DEFAULT -> builder;
      case DIRECT -> builder.directExecutor();
      case EXECUTOR -> {
        ExecutorService users = Executors.newFixedThreadPool(2, task -> new Thread(task, "users"));
        closing(users::shutdownNow);
        yield builder.executor(users);
      }
    };
  }

  /** A service whose callbacks are slow, until it is released. */
  private static final class SlowService {
    /** The threads that callbacks ran on, by what the callback is. */
    final Map<String, String> ran = new ConcurrentHashMap<>();

    final CountDownLatch released = new CountDownLatch(1);

    ServerServiceDefinition definition(Kind kind) {
      return ServerServiceDefinition.builder("test.Service")
          .addMethod(TestService.UNARY, ServerCalls.asyncUnaryCall(this::unary))
          .addMethod(
              TestService.STREAM,
              ServerCalls.asyncServerStreamingCall(
                  kind == Kind.OBSERVER ? this::observe : this::stream))
          .addMethod(TestService.BIDI, ServerCalls.asyncBidiStreamingCall(this::bidi))
          .build();
    }

    private void unary(HelloRequest request, StreamObserver<HelloReply> observer) {
      if (request.equals(QUICK)) {
        RpcMethod.unary(observer, HelloReply::getDefaultInstance);
        return;
      }
      CompletableFuture<HelloReply> never = new CompletableFuture<>();
      RpcMethod.unaryAsync(observer, () -> never);
      never.whenComplete((done, error) -> slow("stage"));
      contextAndSignal(() -> never.complete(HelloReply.getDefaultInstance()));
      begun();
    }

    private void observe(HelloRequest request, StreamObserver<HelloReply> observer) {
      if (OpenCall.current().streamListener() != null) {
        ((ServerCallStreamObserver<HelloReply>) observer).setOnCancelHandler(() -> slow("handler"));
      }
      contextAndSignal(observer::onCompleted);
      begun();
    }

    private void stream(HelloRequest request, StreamObserver<HelloReply> observer) {
      RpcMethod.serverStreaming(observer, this::write);
    }

    private StreamObserver<HelloRequest> bidi(StreamObserver<HelloReply> observer) {
      return RpcMethod.bidiStreaming(observer, (requests, replies) -> write(replies));
    }

    private void write(StreamWriter<HelloReply> replies) throws InterruptedException {
      replies.onCancelled(() -> slow("writer cancelled"));
      replies.onStopping(() -> slow("writer stopping"));
      contextAndSignal(() -> {});
      begun();
      released.await();
    }

    private void contextAndSignal(Runnable stopped) {
      Context.current().addListener(ended -> slow("context"), Runnable::run);
      StopSignal.current().onGiven(() -> {
        slow("signal");
        stopped.run();
      });
    }

    private void begun() {
      ran.put("begun", "");
    }

    void slow(String what) {
      ran.put(what, Thread.currentThread().getName());
      try {
        released.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void noneOfThemRunsWhereOthersWaitForIt(Mode mode) throws Exception {
    List<Row> rows = rows().stream().filter(row -> row.mode == mode).toList();
    Threads.forEach(rows, this::noneOfThemRunsWhereOthersWaitForIt);
  }

  private void noneOfThemRunsWhereOthersWaitForIt(Row row) throws Exception {
    SlowService service = new SlowService();
    Map<String, String> ran = service.ran;
    Duration timeout = row.end == End.SERVER_TIMEOUT ? Duration.ofMillis(300) : Duration.ofHours(1);
    RpcServer server = start(server(row.mode)
        .timeout(row.kind.method, timeout)
        .addService(service.definition(row.kind)));
    Channel channel = channel(server);
    closing(service.released::countDown);
    // Has the connection made, so that the deadline is for the call.
    awaitQuick(channel);
    ClientCall<HelloRequest, HelloReply> call = begin(channel, row, ran);

    if (row.end == End.STOP) {
      CompletableFuture<StopReport> stop = Threads.call(() -> server.stop(Duration.ofMinutes(1)));
      Await.until("a callback runs", () -> ran.keySet().containsAll(row.expected()));
      assertThat(stop).isNotDone();
      service.released.countDown();
      assertThat(stop.get().cut()).isZero();
      assertThat(stop.get().finished()).isEqualTo(1);
    } else {
      if (row.end == End.CLIENT_CANCELS) {
        call.cancel("enough", null);
      }
      Await.until("a callback runs", () -> row.expected().stream().anyMatch(ran::containsKey));
      awaitQuick(channel);
      assertThat(failure(() -> ClientCalls.blockingUnaryCall(
                  channel,
                  TestService.UNARY,
                  CallOptions.DEFAULT.withDeadlineAfter(200, TimeUnit.MILLISECONDS),
                  REQUEST))
              .getCode())
          .isEqualTo(Status.Code.DEADLINE_EXCEEDED);
      service.released.countDown();
      Await.until("all have run", () -> ran.keySet().containsAll(row.expected()));
    }

    for (String each : row.expected()) {
      String thread = String.valueOf(ran.get(each));
      assertThat(thread).as(each).matches(CallThreads.NAME + "\\d+|users");
    }
    Await.until("no call is open", () -> server.counters().callsOpen() == 0);
  }

  /** Not at once, since it has a short timeout too. */
  private static void awaitQuick(Channel channel) throws Exception {
    Await.until(
        "another call ends well",
        () -> failure(() -> ClientCalls.blockingUnaryCall(
                channel,
                TestService.UNARY,
                CallOptions.DEFAULT.withDeadlineAfter(3, TimeUnit.SECONDS),
                QUICK))
            .isOk());
  }

  /** Once more if its time was over before the service had it. */
  private ClientCall<HelloRequest, HelloReply> begin(
      Channel channel, Row row, Map<String, String> ran) throws Exception {
    while (true) {
      AtomicBoolean closed = new AtomicBoolean();
      ClientCall<HelloRequest, HelloReply> call = open(channel, row, closed);
      Await.until("the service has the call", () -> ran.containsKey("begun") || closed.get());
      if (ran.containsKey("begun")) {
        return call;
      }
    }
  }

  private ClientCall<HelloRequest, HelloReply> open(
      Channel channel, Row row, AtomicBoolean closed) {
    CallOptions options = row.end == End.CLIENT_DEADLINE
        ? CallOptions.DEFAULT.withDeadlineAfter(400, TimeUnit.MILLISECONDS)
        : CallOptions.DEFAULT;
    ClientCall<HelloRequest, HelloReply> call = channel.newCall(row.kind.method, options);
    call.start(
        new ClientCall.Listener<>() {
          @Override
          public void onClose(Status status, Metadata trailers) {
            closed.set(true);
          }
        },
        new Metadata());
    call.request(10);
    call.sendMessage(REQUEST);
    call.halfClose();
    return call;
  }

  /**
   * What follows a call that ended well comes behind its last event, on a thread of the service's.
   */
  @ParameterizedTest
  @EnumSource(names = {"UNARY", "SERVER_STREAMING", "BIDI"})
  void contextOfACallThatEndsWellEndsOnItsThreads(Kind kind) throws Exception {
    CompletableFuture<String> ended = new CompletableFuture<>();
    Runnable listen = () -> Context.current()
        .addListener(context -> ended.complete(Thread.currentThread().getName()), Runnable::run);
    ServerServiceDefinition service = ServerServiceDefinition.builder("test.Service")
        .addMethod(
            TestService.UNARY,
            ServerCalls.asyncUnaryCall(
                (HelloRequest request, StreamObserver<HelloReply> observer) -> {
                  listen.run();
                  RpcMethod.unary(observer, HelloReply::getDefaultInstance);
                }))
        .addMethod(
            TestService.STREAM,
            ServerCalls.asyncServerStreamingCall(
                (HelloRequest request, StreamObserver<HelloReply> observer) ->
                    RpcMethod.serverStreaming(observer, replies -> listen.run())))
        .addMethod(
            TestService.BIDI,
            ServerCalls.asyncBidiStreamingCall((StreamObserver<HelloReply> observer) ->
                RpcMethod.<HelloRequest, HelloReply>bidiStreaming(
                    observer, (requests, replies) -> listen.run())))
        .build();
    RpcServer server = start(RpcServer.builder().addService(service));

    open(channel(server), new Row(Mode.DEFAULT, kind, End.STOP), new AtomicBoolean());

    assertThat(ended.get(30, TimeUnit.SECONDS)).startsWith(CallThreads.NAME);
  }

  /** What hangs on a future of a client holds up no other call of its channel. */
  @Test
  void slowStageOfAClientHoldsUpNoCall() throws Exception {
    RpcServer server = start(RpcServer.builder().addService(new GreeterService()));
    RpcChannel channel =
        closing(RpcChannel.builder().address("127.0.0.1", server.port()).build());
    GreeterClient client = GreeterClient.of(channel);
    SlowService slow = new SlowService();
    closing(slow.released::countDown);

    // Elsewhere, since a stage that is added late runs on the spot.
    CompletableFuture<Void> early = Threads.run(() -> client
        .sayHelloAsync("slow")
        .thenAccept(greeting -> slow.slow("greeting"))
        .join());
    CompletableFuture<Void> late = Threads.run(() -> client
        .sayHelloAsync("late", Duration.ofNanos(1))
        .handle((greeting, error) -> {
          slow.slow("late");
          return "";
        })
        .join());
    Await.until(
        "both wait", () -> slow.ran.containsKey("greeting") && slow.ran.containsKey("late"));

    assertThat(client.sayHello("quick")).isEqualTo("Hello, quick!");
    slow.released.countDown();
    early.get();
    late.get();
    assertThat(slow.ran.values())
        .noneMatch(thread -> thread.contains("worker") || thread.contains("timer"));
  }
}
