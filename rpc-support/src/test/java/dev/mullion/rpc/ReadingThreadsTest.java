package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Threads;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Requests of a stream that are read elsewhere than on the thread of the method's body. */
class ReadingThreadsTest extends RpcTest {
  private static final int STREAMS = 6;
  private static final int MESSAGES = 500;

  enum Reading {
    /** The body waits for another thread that reads all. */
    ON_ANOTHER_THREAD {
      @Override
      int count(StreamReader<HelloRequest> requests) {
        return Threads.call(() -> all(requests)).join();
      }
    },
    /** Each message is read by another thread. */
    BY_TURNS {
      @Override
      int count(StreamReader<HelloRequest> requests) {
        Iterator<HelloRequest> each = requests.iterator();
        int count = 0;
        while (each.hasNext()) {
          count += Threads.call(each::next).join().equals(REQUEST) ? 1 : 0;
        }
        return count;
      }
    },
    /** The body and another thread take what they get. */
    TOGETHER {
      @Override
      int count(StreamReader<HelloRequest> requests) {
        AtomicInteger count = new AtomicInteger();
        CompletableFuture<Void> other = Threads.run(() -> take(requests, count));
        take(requests, count);
        other.join();
        return count.get();
      }
    };

    abstract int count(StreamReader<HelloRequest> requests);

    static int all(StreamReader<HelloRequest> requests) {
      int count = 0;
      for (HelloRequest each : requests) {
        count += each.equals(REQUEST) ? 1 : 0;
      }
      return count;
    }

    static void take(StreamReader<HelloRequest> requests, AtomicInteger count) {
      try {
        while (true) {
          requests.iterator().next();
          count.incrementAndGet();
        }
      } catch (NoSuchElementException ended) {
        // The other one may have taken the last.
      }
    }
  }

  /** More streams than threads, as on a JDK without virtual threads. */
  @ParameterizedTest
  @EnumSource
  void anyThreadReads(Reading reading) throws Exception {
    ThreadPoolExecutor two = CallThreads.platform(2);
    closing(two::shutdownNow);
    RpcServer server = start(RpcServer.builder()
        .executor(two)
        .addService(TestService.bidi(observer -> RpcMethod.<HelloRequest, HelloReply>bidiStreaming(
            observer,
            (requests, replies) -> replies.write(HelloReply.newBuilder()
                .setMessage(String.valueOf(reading.count(requests)))
                .build())))));
    ManagedChannel channel = channel(server);
    List<CompletableFuture<String>> sums = new ArrayList<>();

    for (int i = 0; i < STREAMS; i++) {
      sums.add(Threads.call(() -> sum(channel)));
    }

    for (CompletableFuture<String> each : sums) {
      assertThat(each.get(30, TimeUnit.SECONDS)).isEqualTo(String.valueOf(MESSAGES));
    }
  }

  /** The body waited on the event loop for requests that only that loop could bring. */
  @Test
  void executorThatRunsTasksInTheCallersThreadHoldsUpNoEventLoop() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .executor(Runnable::run)
        .addService(TestService.bidi(observer -> RpcMethod.<HelloRequest, HelloReply>bidiStreaming(
            observer,
            (requests, replies) -> replies.write(HelloReply.newBuilder()
                .setMessage(String.valueOf(Reading.all(requests)))
                .build())))));

    CompletableFuture<String> sum = Threads.call(() -> sum(channel(server)));

    assertThat(sum.get(30, TimeUnit.SECONDS)).isEqualTo(String.valueOf(MESSAGES));
  }

  /** How a service ends its call while one of its threads waits for more requests. */
  private enum Ending {
    COMPLETE {
      @Override
      void end(StreamWriter<HelloReply> replies) {
        replies.complete();
      }
    },
    FAIL {
      @Override
      void end(StreamWriter<HelloReply> replies) {
        replies.fail(Status.NOT_FOUND.asRuntimeException());
      }
    },
    FAIL_ELSEWHERE {
      @Override
      void end(StreamWriter<HelloReply> replies) {
        Threads.run(() -> FAIL.end(replies));
      }
    };

    abstract void end(StreamWriter<HelloReply> replies);
  }

  /** gRPC tells a service nothing of its own end, so its body kept the thread for ever. */
  @ParameterizedTest
  @EnumSource
  void noThreadWaitsForRequestsWhenItsServiceHasEndedTheCall(Ending ending) throws Exception {
    CompletableFuture<Status> left = new CompletableFuture<>();
    RpcServer server = start(RpcServer.builder()
        .addService(TestService.bidi(observer ->
            RpcMethod.<HelloRequest, HelloReply>bidiStreaming(observer, (requests, replies) -> {
              ending.end(replies);
              left.complete(failure(() -> Reading.all(requests)));
            }))));

    try (ClientStream<HelloRequest, HelloReply> stream = ClientStream.open(
        (StreamObserver<HelloReply> replies) -> ClientCalls.asyncBidiStreamingCall(
            channel(server).newCall(TestService.BIDI, CallOptions.DEFAULT), replies))) {
      assertThat(left.get(30, TimeUnit.SECONDS))
          .extracting(Status::getCode, Status::getDescription)
          .containsExactly(Status.Code.CANCELLED, "the service has ended the call");
      assertThat(stream.requests()).isNotNull();
    }
  }

  private static String sum(ManagedChannel channel) {
    try (ClientStream<HelloRequest, HelloReply> stream = ClientStream.open(
        (StreamObserver<HelloReply> replies) -> ClientCalls.asyncBidiStreamingCall(
            channel.newCall(TestService.BIDI, CallOptions.DEFAULT), replies))) {
      for (int i = 0; i < MESSAGES; i++) {
        stream.requests().write(REQUEST);
      }
      stream.requests().complete();
      return stream.replies().iterator().next().getMessage();
    }
  }
}
