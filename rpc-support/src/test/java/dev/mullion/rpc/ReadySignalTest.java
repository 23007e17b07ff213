package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.mullion.rpc.greeter.HelloReply;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.Iterator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Streams that write on the event loop what they have queued. */
class ReadySignalTest extends RpcTest {
  private static final int REPLIES = 2_000;
  private static final HelloReply REPLY =
      HelloReply.newBuilder().setMessage("x".repeat(1_000)).build();

  /** Writes while the transport takes it, and completes after the last. */
  private static void write(ServerCallStreamObserver<HelloReply> call, AtomicInteger written) {
    while (call.isReady() && written.get() < REPLIES) {
      call.onNext(REPLY);
      if (written.incrementAndGet() == REPLIES) {
        call.onCompleted();
      }
    }
  }

  private static int count(Iterator<HelloReply> replies) {
    int count = 0;
    while (replies.hasNext()) {
      replies.next();
      count++;
    }
    return count;
  }

  @Test
  void queueIsWrittenByTheEventLoop() throws Exception {
    AtomicInteger written = new AtomicInteger();
    CompletableFuture<@Nullable Executor> loop = new CompletableFuture<>();
    AtomicInteger usual = new AtomicInteger();
    RpcServer server = start(RpcServer.builder().addService(TestService.stream((request, to) -> {
      ServerCallStreamObserver<HelloReply> call = observer(to);
      call.setOnReadyHandler(usual::incrementAndGet);
      ReadySignal.current().onReady(() -> {
        loop.complete(EventLoops.current());
        write(call, written);
      });
      write(call, written);
    })));

    assertThat(count(stream(channel(server)))).isEqualTo(REPLIES);

    assertThat(loop.get()).isNotNull();
    assertThat(usual.get()).isLessThanOrEqualTo(1); // that of the start
  }

  @Test
  void eventLoopTakesTasks() throws Exception {
    CompletableFuture<Boolean> onLoop = new CompletableFuture<>();
    AtomicInteger written = new AtomicInteger();
    RpcServer server = start(RpcServer.builder().addService(TestService.stream((request, to) -> {
      ServerCallStreamObserver<HelloReply> call = observer(to);
      ReadySignal.current().onReady(() -> {
        Executor loop = EventLoops.current();
        if (loop != null) {
          loop.execute(() -> {
            onLoop.complete(loop == EventLoops.current());
            write(call, written);
          });
        }
      });
      write(call, written);
    })));

    assertThat(count(stream(channel(server)))).isEqualTo(REPLIES);

    assertThat(onLoop.get()).isTrue();
    assertThat(EventLoops.current()).isNull();
  }

  @Test
  void taskThatThrowsIsCalledAgain() throws Exception {
    AtomicInteger written = new AtomicInteger();
    AtomicInteger thrown = new AtomicInteger();
    RpcServer server = start(RpcServer.builder().addService(TestService.stream((request, to) -> {
      ServerCallStreamObserver<HelloReply> call = observer(to);
      ReadySignal.current().onReady(() -> {
        write(call, written);
        thrown.incrementAndGet();
        throw new IllegalStateException("thrown by a test");
      });
      write(call, written);
    })));

    assertThat(count(stream(channel(server)))).isEqualTo(REPLIES);

    assertThat(thrown.get()).isPositive();
  }

  @Test
  void observersHandlerIsCalledWhereAllEventsRunOnTheEventLoop() throws Exception {
    AtomicInteger written = new AtomicInteger();
    RpcServer server =
        start(RpcServer.builder().directExecutor().addService(TestService.stream((request, to) -> {
          ServerCallStreamObserver<HelloReply> call = observer(to);
          call.setOnReadyHandler(() -> write(call, written));
          ReadySignal.current().onReady(() -> {
            throw new AssertionError("not to be called");
          });
        })));

    assertThat(count(stream(channel(server)))).isEqualTo(REPLIES);
  }

  private static ServerCallStreamObserver<HelloReply> observer(StreamObserver<HelloReply> to) {
    return (ServerCallStreamObserver<HelloReply>) to;
  }

  @Test
  void signalIsOfACall() {
    assertThatIllegalStateException()
        .isThrownBy(ReadySignal::current)
        .withMessage(
            "no call of an RpcServer on this thread (expected: the Context of such a call)");
  }
}
