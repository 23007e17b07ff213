package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.HeldLocks;
import dev.mullion.framing.testing.Threads;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.config.MeterFilter;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * One thread at a time sends the messages of a stream, and none holds a lock while it calls users'
 * code. Messages were sent under a lock: two servers in one process waited for each other's for
 * ever.
 */
class SendTurnTest extends RpcTest {
  /** What the server calls, each of which must be seen. */
  private static final List<String> CALLBACKS = List.of(
      "access log",
      "close of an interceptor",
      "isReady of an interceptor",
      "listener of a context",
      "mapException",
      "meter registry",
      "onCancelled",
      "onHalfClose of an interceptor",
      "onMessage of an interceptor",
      "onStopping",
      "sendHeaders of an interceptor",
      "sendMessage of an interceptor",
      "stage of writeAsync",
      "stop signal");

  private final Set<String> called = ConcurrentHashMap.newKeySet();
  private final Set<String> wrong = ConcurrentHashMap.newKeySet();

  private void called(String by) {
    if (called.add(by)) {
      HeldLocks.ofThisThread().forEach(lock -> wrong.add(by + " was called with " + lock));
    }
  }

  /** Looks at the locks whenever it is called, and may hold up messages. */
  private final class Watching implements ServerInterceptor {
    final CompletableFuture<Void> entered = new CompletableFuture<>();
    private final boolean holdsUp;

    Watching(boolean holdsUp) {
      this.holdsUp = holdsUp;
    }

    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      ServerCall<Q, R> own = new SimpleForwardingServerCall<>(call) {
        @Override
        public void sendHeaders(Metadata sent) {
          called("sendHeaders of an interceptor");
          super.sendHeaders(sent);
        }

        @Override
        public void sendMessage(R message) {
          called("sendMessage of an interceptor");
          if (holdsUp) {
            entered.complete(null);
            awaitRelease();
          }
          super.sendMessage(message);
        }

        @Override
        public boolean isReady() {
          called("isReady of an interceptor");
          return super.isReady();
        }

        @Override
        public void close(Status status, Metadata trailers) {
          called("close of an interceptor");
          super.close(status, trailers);
        }
      };
      return new SimpleForwardingServerCallListener<>(next.startCall(own, headers)) {
        @Override
        public void onMessage(Q message) {
          called("onMessage of an interceptor");
          super.onMessage(message);
        }

        @Override
        public void onHalfClose() {
          called("onHalfClose of an interceptor");
          super.onHalfClose();
        }
      };
    }
  }

  private static HelloReply reply(int number) {
    return HelloReply.newBuilder().setMessage("" + number).build();
  }

  /** What others have to send is left to the thread that sends, in order; none of them waits. */
  @Test
  void threadThatSendsHoldsUpNoOther() throws Exception {
    Watching watching = new Watching(true);
    CompletableFuture<Void> ended = new CompletableFuture<>();
    RpcServer server = start(RpcServer.builder()
        .intercept(watching)
        .addService(TestService.stream((request, observer) -> {
          StreamWriter<HelloReply> writer = StreamWriter.of(observer);
          CompletableFuture<Void> sending = Threads.run(() -> writer.write(reply(1)));
          CompletableFuture<Void> other = Threads.run(() -> {
            watching.entered.join();
            CompletableFuture<Void> second = writer.writeAsync(reply(2)).toCompletableFuture();
            assertThat(second).isNotDone();
            assertThat(writer.writeAsync(reply(3)).toCompletableFuture())
                .isCompletedExceptionally();
            writer.complete();
            assertThatThrownBy(() -> writer.write(reply(4)))
                .isInstanceOf(IllegalStateException.class);
            released.countDown();
            second.join();
          });
          CompletableFuture.allOf(sending, other).whenComplete((done, error) -> {
            if (error == null) {
              ended.complete(null);
            } else {
              ended.completeExceptionally(error);
            }
          });
        })));

    Iterator<HelloReply> replies = stream(channel(server));

    assertThat(replies.next()).isEqualTo(reply(1));
    assertThat(replies.next()).isEqualTo(reply(2));
    assertThat(replies.hasNext()).isFalse();
    ended.get(30, TimeUnit.SECONDS);
    assertThat(wrong).isEmpty();
  }

  /** Each thread's messages come in its order, whoever sends them. */
  @Test
  void threadsThatWriteAtTheSameTimeLoseNothing() throws Exception {
    RpcServer server =
        start(RpcServer.builder().addService(TestService.stream((request, observer) -> {
          StreamWriter<HelloReply> writer = StreamWriter.of(observer, 100);
          CompletableFuture<?>[] threads = new CompletableFuture<?>[4];
          for (int i = 0; i < threads.length; i++) {
            int first = i * 1000;
            threads[i] = i == 0
                ? writer
                    .writeAllAsync(
                        IntStream.range(0, 200).mapToObj(SendTurnTest::reply).iterator())
                    .toCompletableFuture()
                : Threads.run(() -> {
                  for (int number = first; number < first + 200; number++) {
                    writer.write(reply(number));
                  }
                });
          }
          CompletableFuture.allOf(threads).whenComplete((done, error) -> writer.complete());
        })));

    int[] next = {0, 1000, 2000, 3000};
    stream(channel(server)).forEachRemaining(each -> {
      int number = Integer.parseInt(each.getMessage());
      assertThat(number).isEqualTo(next[number / 1000]);
      next[number / 1000]++;
    });

    assertThat(next).containsExactly(200, 1200, 2200, 3200);
  }

  /** Nobody told the writer, which waited for a peer that had nothing to do any more. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void endByTheObserverEndsAWriteThatWaits(boolean well) throws Exception {
    CompletableFuture<StreamWriter<HelloReply>> made = new CompletableFuture<>();
    CompletableFuture<StreamObserver<HelloReply>> raw = new CompletableFuture<>();
    RpcServer server =
        start(RpcServer.builder().addService(TestService.stream((request, observer) -> {
          raw.complete(observer);
          made.complete(StreamWriter.of(observer));
        })));
    ClientCall<?, ?> call = open(channel(server));
    StreamWriter<HelloReply> writer = made.get(30, TimeUnit.SECONDS);
    CompletableFuture<Void> cancelled = new CompletableFuture<>();
    writer.onCancelled(() -> cancelled.complete(null));
    CompletableFuture<Void> writing = Threads.run(() -> {
      while (true) {
        writer.write(TestService.reply(100_000));
      }
    });
    Await.until("the peer is behind", () -> !writer.observer().isReady());
    CompletableFuture<Void> async =
        writer.writeAsync(TestService.reply(1_000)).toCompletableFuture();

    if (well) {
      raw.join().onCompleted();
    } else {
      raw.join().onError(Status.ABORTED.asRuntimeException());
    }

    for (CompletableFuture<Void> each : List.of(writing, async)) {
      assertThatThrownBy(() -> each.get(30, TimeUnit.SECONDS))
          .isInstanceOf(ExecutionException.class)
          .rootCause()
          .isInstanceOf(StatusRuntimeException.class)
          .hasMessage("CANCELLED: the service has ended the call");
    }
    cancelled.get(30, TimeUnit.SECONDS);
    assertThat(writer.isCancelled()).isTrue();
    call.cancel("enough", null);
  }

  /** Begins a stream of which one message is read. */
  private static ClientCall<?, ?> open(Channel channel) {
    ClientCall<HelloRequest, HelloReply> call =
        channel.newCall(TestService.STREAM, CallOptions.DEFAULT);
    call.start(new ClientCall.Listener<>() {}, new Metadata());
    call.request(1);
    call.sendMessage(REQUEST);
    call.halfClose();
    return call;
  }

  /** In one process, where each side is called on the spot by the other. */
  @Test
  void nothingIsCalledUnderALock() throws Exception {
    SimpleMeterRegistry registry = new SimpleMeterRegistry();
    registry.config().meterFilter(new MeterFilter() {
      @Override
      public Meter.Id map(Meter.Id id) {
        if (id.getName().startsWith("mullion.rpc.")) {
          called("meter registry");
        }
        return id;
      }
    });
    RpcServer server = start(RpcServer.builder()
        .inProcessName("send-turn")
        .directExecutor()
        .observe(MicrometerObserver.of(registry))
        .accessLog(call -> called("access log"))
        .mapException(ArithmeticException.class, error -> {
          called("mapException");
          return Status.ABORTED;
        })
        .intercept(new Watching(false))
        .addService(service()));
    RpcChannel channel = closing(RpcChannel.builder().inProcessName("send-turn").build());

    assertThat(failure(() -> call(channel)).getCode()).isEqualTo(Status.Code.ABORTED);
    ClientCall<?, ?> cancelled = open(channel);
    Await.until("a stage is complete", () -> called.contains("stage of writeAsync"));
    cancelled.cancel("enough", null);
    Await.until("the end is told", () -> called.contains("onCancelled"));
    ClientCall<?, ?> stopped = open(channel);
    Await.until("the call is open", () -> server.counters().callsOpen() == 1);
    server.stop(Duration.ofSeconds(60));
    stopped.cancel("enough", null);

    Await.until("the server has ended", server::isTerminated);
    assertThat(called).containsAll(CALLBACKS);
    assertThat(wrong).isEmpty();
  }

  private ServerServiceDefinition service() {
    return ServerServiceDefinition.builder("test.Service")
        .addMethod(TestService.UNARY, ServerCalls.asyncUnaryCall((request, observer) -> {
          throw new ArithmeticException("to be mapped");
        }))
        .addMethod(TestService.STREAM, ServerCalls.asyncServerStreamingCall((request, observer) -> {
          StreamWriter<HelloReply> writer = StreamWriter.of(observer);
          Context.current().addListener(ended -> called("listener of a context"), Runnable::run);
          StopSignal.current().onGiven(() -> called("stop signal"));
          writer.onCancelled(() -> called("onCancelled"));
          writer.onStopping(() -> {
            called("onStopping");
            writer.complete();
          });
          writer.writeAsync(reply(1)).whenComplete((done, error) -> called("stage of writeAsync"));
        }))
        .build();
  }
}
