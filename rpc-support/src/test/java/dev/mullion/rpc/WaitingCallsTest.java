package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import dev.mullion.net.StopReport;
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
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls that wait for a thread, of which there is one, as on a JDK without virtual threads. */
class WaitingCallsTest extends RpcTest {
  private static final HelloRequest BLOCKS =
      HelloRequest.newBuilder().setName("blocks").build();

  private final ThreadPoolExecutor pool = closing(new OneThread()).threads;
  private final List<String> served = Collections.synchronizedList(new ArrayList<>());

  private record OneThread(ThreadPoolExecutor threads) implements AutoCloseable {
    OneThread() {
      this(CallThreads.platform(1));
    }

    @Override
    public void close() {
      threads.shutdownNow();
    }
  }

  /** Where calls wait. */
  enum Where {
    POOL,
    POOL_IN_PROCESS,
    QUEUE_OUT_OF_REACH;

    Executor executor(ThreadPoolExecutor pool) {
      return this == QUEUE_OUT_OF_REACH ? Executors.unconfigurableExecutorService(pool) : pool;
    }
  }

  private RpcServerBuilder server(Executor executor) {
    return RpcServer.builder().executor(executor).addService(service());
  }

  private ServerServiceDefinition service() {
    return ServerServiceDefinition.builder("test.Service")
        .addMethod(TestService.UNARY, ServerCalls.asyncUnaryCall(this::reply))
        .addMethod(TestService.STREAM, ServerCalls.asyncServerStreamingCall(this::reply))
        .build();
  }

  private void reply(HelloRequest request, StreamObserver<HelloReply> replies) {
    served.add(request.getName());
    if (request.equals(BLOCKS)) {
      awaitRelease();
    }
    replies.onNext(HelloReply.getDefaultInstance());
    replies.onCompleted();
  }

  /** Takes the thread, with a deadline that no default comes before. */
  private CompletableFuture<HelloReply> block(Channel channel) throws Exception {
    CompletableFuture<HelloReply> blocking = Threads.call(() -> ClientCalls.blockingUnaryCall(
        channel,
        TestService.UNARY,
        CallOptions.DEFAULT.withDeadlineAfter(1, TimeUnit.HOURS),
        BLOCKS));
    Await.until("the thread is taken", () -> served.contains("blocks"));
    return blocking;
  }

  @ParameterizedTest
  @EnumSource
  void waitingCallTimesOut(Where where) throws Exception {
    RpcServerBuilder builder = server(where.executor(pool)).defaultTimeout(Duration.ofMillis(300));
    boolean inProcess = where == Where.POOL_IN_PROCESS;
    RpcServer server = start(inProcess ? builder.inProcessName("waiting-calls-test") : builder);
    Channel channel = inProcess
        ? closing(RpcChannel.builder()
            .inProcessName("waiting-calls-test")
            // Else the channel would give it one.
            .defaultTimeout(Duration.ZERO)
            .build())
        : channel(server);
    CompletableFuture<HelloReply> blocking = block(channel);

    assertThat(text(failure(() -> call(channel))))
        .isEqualTo("DEADLINE_EXCEEDED: call took longer than defaultTimeout PT0.3S");

    assertThat(blocking).isNotDone();
    Await.until("it is counted", () -> server.counters().callsTimedOut() == 1);
    released.countDown();
    assertThat(blocking.get()).isEqualTo(HelloReply.getDefaultInstance());
    Await.until("no call is open", () -> server.counters().callsOpen() == 0);
    assertThat(served).containsExactly("blocks");
    assertThat(server.counters().callsEnded(Status.Code.DEADLINE_EXCEEDED)).isEqualTo(1);
  }

  /** On a newer JDK it has a thread, and takes too long there. */
  @Test
  void callThatWaitsForAThreadOfTheServersOwnTimesOutToo() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .maxHandlerThreads(1)
        .timeout(TestService.UNARY, Duration.ofMillis(300))
        .addService(TestService.unary((request, replies) -> awaitRelease())));
    Channel channel = channel(server);
    CompletableFuture<Status> first = Threads.call(() -> failure(() -> call(channel)));
    Await.until("one call is open", () -> server.counters().callsStarted() == 1);

    String expected = "DEADLINE_EXCEEDED: call took longer than its timeout PT0.3S";
    assertThat(text(failure(() -> call(channel)))).isEqualTo(expected);
    assertThat(text(first.get())).isEqualTo(expected);
    Await.until("no call is open", () -> server.counters().callsOpen() == 0);
  }

  /** A stream waited for ever, without a word, since streams have no timeout by default. */
  @ParameterizedTest
  @EnumSource
  void callThatFindsNoThreadInTimeIsRefusedInWords(Where where) throws Exception {
    RpcServerBuilder builder =
        server(where.executor(pool)).handlerThreadTimeout(Duration.ofMillis(300));
    boolean inProcess = where == Where.POOL_IN_PROCESS;
    RpcServer server = start(inProcess ? builder.inProcessName("no-thread-test") : builder);
    Channel channel = inProcess
        ? closing(RpcChannel.builder().inProcessName("no-thread-test").build())
        : channel(server);
    CompletableFuture<HelloReply> blocking = block(channel);
    String text =
        "RESOURCE_EXHAUSTED: no thread was free within handlerThreadTimeout PT0.3S (executor)";

    CompletableFuture<Status> unary = Threads.call(() -> failure(() -> call(channel)));
    assertThat(text(failure(() -> stream(channel).hasNext()))).isEqualTo(text);
    assertThat(text(unary.get())).isEqualTo(text);

    assertThat(blocking).isNotDone();
    Await.until("both are counted", () -> server.counters().callsWithoutThread() == 2);
    if (where != Where.QUEUE_OUT_OF_REACH) {
      Await.until("none waits", () -> server.counters().callsWaiting() == 0);
    }
    released.countDown();
    assertThat(blocking.get()).isEqualTo(HelloReply.getDefaultInstance());
    Await.until("no call is open", () -> server.counters().callsOpen() == 0);
    Await.until("none waits", () -> server.counters().callsWaiting() == 0);
    assertThat(served).containsExactly("blocks");
  }

  /** The queue of callbacks grew for as long as clients cancelled calls whose clean-up was slow. */
  @Test
  void callsAreRefusedWhileTooManyCallbacksWait() throws Exception {
    int most = 2 + 256;
    RpcServer server =
        start(RpcServer.builder().maxCalls(2).addService(TestService.unary((request, replies) -> {
          if (released.getCount() == 0) {
            replies.onNext(HelloReply.getDefaultInstance());
            replies.onCompleted();
          }
          Context.current().addListener(ended -> awaitRelease(), Runnable::run);
          served.add(request.getName());
        })));
    Channel channel = channel(server);
    for (int i = 1; i <= most + 1; i++) {
      ClientCall<?, ?> call = open(channel, TestService.UNARY);
      int calls = i;
      Await.until("the service has it", () -> served.size() == calls);
      call.cancel("enough", null);
      Await.until("it is over", () -> server.counters().callsEnded(Status.Code.CANCELLED) == calls);
    }

    assertThat(text(failure(() -> call(channel))))
        .isEqualTo("RESOURCE_EXHAUSTED: too many calls, maxCalls 2");

    released.countDown();
    Await.until("calls are taken again", () -> failure(() -> call(channel)).isOk());
  }

  /** They stayed in the queue, which grew for as long as a client opened and cancelled calls. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void cancelledCallsLeaveTheQueue(boolean unary) throws Exception {
    int each = 250;
    int all = 8 * each;
    MethodDescriptor<HelloRequest, HelloReply> method =
        unary ? TestService.UNARY : TestService.STREAM;
    // For all: callbacks of cancelled calls that wait for a slow machine may make a call one too
    // many.
    RpcServer server =
        start(server(pool).maxCalls(1 + all).maxResets(Integer.MAX_VALUE, Duration.ofSeconds(10)));
    Channel channel = channel(server);
    CompletableFuture<HelloReply> blocking = block(channel);

    for (int opened = 0; opened < all; opened += each) {
      List<ClientCall<?, ?>> calls = new ArrayList<>();
      for (int i = 0; i < each; i++) {
        calls.add(open(channel, method));
      }
      Await.until("they wait", () -> pool.getQueue().size() == each);
      calls.forEach(call -> call.cancel("enough", null));
      Await.until("they wait no more", () -> server.counters().callsOpen() == 1);
      assertThat(pool.getQueue()).isEmpty();
    }

    assertThat(blocking).isNotDone();
    CompletableFuture<HelloReply> later = Threads.call(() -> call(channel));
    Await.until("it waits", () -> pool.getQueue().size() == 1);
    released.countDown();
    assertThat(later.get()).isEqualTo(blocking.get());
    Await.until("no call is open", () -> server.counters().callsOpen() == 0);
    assertThat(served).containsExactly("blocks", "x");
    assertThat(server.counters().callsRefused()).isZero();
    assertThat(server.counters().callsEnded(Status.Code.CANCELLED)).isEqualTo(all);
  }

  private static ClientCall<?, ?> open(
      Channel channel, MethodDescriptor<HelloRequest, HelloReply> method) {
    ClientCall<HelloRequest, HelloReply> call = channel.newCall(method, CallOptions.DEFAULT);
    call.start(new ClientCall.Listener<>() {}, new Metadata());
    call.request(1);
    call.sendMessage(REQUEST);
    call.halfClose();
    return call;
  }

  @Test
  void cancelledCallKeepsItsPlaceInAQueueOutOfReach() throws Exception {
    RpcServer server =
        start(server(Executors.unconfigurableExecutorService(pool)).maxCalls(3));
    Channel channel = channel(server);
    CompletableFuture<HelloReply> blocking = block(channel);
    ClientCall<?, ?> unary = open(channel, TestService.UNARY);
    ClientCall<?, ?> stream = open(channel, TestService.STREAM);
    Await.until("they wait", () -> pool.getQueue().size() == 2);

    unary.cancel("enough", null);
    stream.cancel("enough", null);
    Await.until("they are over", () -> server.counters().callsEnded(Status.Code.CANCELLED) == 2);

    assertThat(server.counters().callsOpen()).isEqualTo(3);
    assertThat(pool.getQueue()).hasSize(2);
    assertThat(text(failure(() -> call(channel))))
        .isEqualTo("RESOURCE_EXHAUSTED: too many calls, maxCalls 3");
    released.countDown();
    assertThat(blocking.get()).isEqualTo(HelloReply.getDefaultInstance());
    Await.until("no call is open", () -> server.counters().callsOpen() == 0);
    assertThat(call(channel)).isEqualTo(HelloReply.getDefaultInstance());
    assertThat(served).containsExactly("blocks", "x");
  }

  @Test
  void waitingCallIsCutWithTheOthers() throws Exception {
    RpcServer server = start(server(pool));
    Channel channel = channel(server);
    CompletableFuture<Status> blocking =
        Threads.call(() -> failure(() -> call(channel, TestService.UNARY, BLOCKS)));
    Await.until("the thread is taken", () -> served.contains("blocks"));
    CompletableFuture<Status> waiting = Threads.call(() -> failure(() -> call(channel)));
    Await.until("another waits", () -> pool.getQueue().size() == 1);

    StopReport report = server.stop(Duration.ofMillis(100));

    assertThat(text(waiting.get())).isEqualTo("UNAVAILABLE: server is stopping");
    assertThat(text(blocking.get())).isEqualTo("UNAVAILABLE: server is stopping");
    assertThat(report.cut()).isEqualTo(2);
    assertThat(served).containsExactly("blocks");
    Await.until("nothing waits", () -> server.counters().callsOpen() == 0);
  }

  /** How an executor does not run a task, or fails after it did. */
  enum Failing {
    FULL,
    BROKEN,
    OUT_OF_THREADS,
    CHECKED,
    BROKEN_AFTERWARDS;

    void execute(Runnable task) {
      if (this == BROKEN_AFTERWARDS) {
        task.run();
      }
      Throwable thrown = switch (this) {
        case FULL -> new RejectedExecutionException("full");
        case OUT_OF_THREADS -> new OutOfMemoryError("unable to create native thread, pretended");
        case CHECKED -> new IOException("undeclared");
        default -> new IllegalStateException("broken");
      };
      UnsentMessage.<RuntimeException>sneak(thrown);
    }
  }

  static List<Arguments> failingExecutors() {
    List<Arguments> all = new ArrayList<>();
    for (Failing failing : Failing.values()) {
      all.add(Arguments.of(failing, TestService.UNARY));
      all.add(Arguments.of(failing, TestService.STREAM));
    }
    return all;
  }

  /**
   * An exception other than that of a full executor ended the connection with its other calls, and
   * the call kept its place among {@code maxCalls} for ever.
   */
  @ParameterizedTest
  @MethodSource("failingExecutors")
  void failingExecutorAffectsItsCallsAlone(
      Failing failing, MethodDescriptor<HelloRequest, HelloReply> method) throws Exception {
    Logger log = Logger.getLogger(FirstTurn.class.getName());
    log.setLevel(Level.OFF);
    closing(() -> log.setLevel(null));
    RpcServer server = start(server(failing::execute).maxCalls(2));
    Channel channel = channel(server);

    for (int i = 0; i < 5; i++) {
      Status ended = failure(() -> call(channel, method, HelloRequest.getDefaultInstance()));
      // One that runs the task all the same may have served the call.
      if (failing != Failing.BROKEN_AFTERWARDS || !ended.isOk()) {
        assertThat(text(ended)).isEqualTo("UNAVAILABLE: the server's executor rejected the call");
      }
      Await.until("no call is open", () -> server.counters().callsOpen() == 0);
    }

    assertThat(server.counters().callsWaiting()).isZero();
    assertThat(server.counters().callsStarted()).isEqualTo(5);
    assertThat(server.counters().connectionsOpened()).isEqualTo(1);
  }
}
