package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Context.CancellableContext;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** Streams that wait for their peer, on both sides. */
class StreamsTest extends RpcTest {
  private static final int MESSAGE = 64 * 1024;
  private static final HelloReply TICK =
      HelloReply.newBuilder().setMessage("tick").build();
  private final CompletableFuture<StreamWriter<HelloReply>> writer = new CompletableFuture<>();
  private final AtomicInteger written = new AtomicInteger();

  /** Writes without end, and returns with what ends it. */
  private CompletableFuture<Throwable> endless(RpcServerBuilder builder, int[] port)
      throws Exception {
    CompletableFuture<Throwable> ended = new CompletableFuture<>();
    port[0] = start(builder.addService(TestService.stream((request, observer) -> {
          StreamWriter<HelloReply> replies = StreamWriter.of(observer);
          writer.complete(replies);
          try {
            while (true) {
              replies.write(TestService.reply(MESSAGE));
              written.incrementAndGet();
            }
          } catch (RuntimeException e) {
            ended.complete(e);
            throw e;
          }
        })))
        .port();
    return ended;
  }

  /** Returns a call that has started and asks for no message. */
  private ClientCall<HelloRequest, HelloReply> unread(int port, CallOptions options) {
    ClientCall<HelloRequest, HelloReply> call = client(port).newCall(TestService.STREAM, options);
    call.start(new ClientCall.Listener<>() {}, new Metadata());
    call.request(1);
    call.sendMessage(REQUEST);
    call.halfClose();
    // gRPC's client keeps what came before the status until it is asked for.
    closing(() -> {
      call.cancel("the test has ended", null);
      call.request(1_000_000);
    });
    return call;
  }

  private ManagedChannel client(int port) {
    return channel(NettyChannelBuilder.forAddress("127.0.0.1", port));
  }

  /** Calls once more if its time was over before the service had it. */
  private void unreadUntilEnded(
      int port, UnaryOperator<CallOptions> options, CompletableFuture<?> ended) throws Exception {
    Await.until("a write has ended", () -> {
      unread(port, options.apply(CallOptions.DEFAULT));
      return isDoneSoon(ended);
    });
  }

  /** Waits until the writer does; what the transports hold is known only roughly. */
  private int awaitStall() throws Exception {
    // Counted, since a machine that stood still for a while would look like a writer that waits.
    int[] seen = {-1, 0};
    Await.until("the writer waits", () -> {
      int now = written.get();
      seen[1] = now > 0 && now == seen[0] ? seen[1] + 1 : 0;
      seen[0] = now;
      return seen[1] == 1500;
    });
    return seen[0];
  }

  @Test
  void writeWaitsWhileThePeerIsBehindAndGoesOnWhenItReads() throws Exception {
    int[] port = {0};
    endless(RpcServer.builder(), port);
    ClientCall<HelloRequest, HelloReply> call = unread(port[0], CallOptions.DEFAULT);

    int stalled = awaitStall();
    // The client's window of 1 MiB, what the writer lets wait, and one message.
    assertThat((long) stalled * MESSAGE).isLessThan(3L * 1024 * 1024);
    call.request(100);

    Await.until("it goes on", () -> written.get() > stalled + 50);
    call.cancel("enough", null);
  }

  @Test
  void cancellationByTheClientEndsAWriteThatWaits() throws Exception {
    int[] port = {0};
    CompletableFuture<Throwable> ended = endless(RpcServer.builder(), port);
    ClientCall<HelloRequest, HelloReply> call = unread(port[0], CallOptions.DEFAULT);
    awaitStall();
    CompletableFuture<Boolean> told = new CompletableFuture<>();
    writer.get().onCancelled(() -> told.complete(writer.join().isCancelled()));
    assertThat(told).isNotDone();

    call.cancel("enough", null);

    assertThat(ended.get(20, TimeUnit.SECONDS))
        .isInstanceOf(StatusRuntimeException.class)
        .hasMessage("CANCELLED: the client has cancelled the call");
    assertThat(told.get(20, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void timeoutOfTheServerEndsAWriteThatWaits() throws Exception {
    int[] port = {0};
    CompletableFuture<Throwable> ended =
        endless(RpcServer.builder().defaultTimeout(Duration.ofMillis(500)), port);

    unreadUntilEnded(port[0], options -> options, ended);

    assertThat(ended.get())
        .isInstanceOf(StatusRuntimeException.class)
        .hasMessage("DEADLINE_EXCEEDED: call took longer than defaultTimeout PT0.5S");
  }

  /** The client counts from an earlier moment, and its cancellation may come first. */
  @Test
  void deadlineOfTheClientEndsAWriteThatWaits() throws Exception {
    int[] port = {0};
    CompletableFuture<Throwable> ended = endless(RpcServer.builder(), port);

    unreadUntilEnded(
        port[0], options -> options.withDeadlineAfter(500, TimeUnit.MILLISECONDS), ended);

    assertThat(ended.get())
        .isInstanceOf(StatusRuntimeException.class)
        .extracting(Throwable::getMessage)
        .isIn(
            "DEADLINE_EXCEEDED: the client's deadline has passed",
            "CANCELLED: the client has cancelled the call");
  }

  /**
   * Each stream has one thread, so that a pool that is taken up by those that wait must not lock
   * up.
   */
  @Test
  void moreStreamsThanThreadsAllComeToTheirEnd() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .executor(closing(new Pool(2)).threads)
        .addService(TestService.bidi(observer ->
            RpcMethod.<HelloRequest, HelloReply>bidiStreaming(observer, (requests, replies) -> {
              for (HelloRequest request : requests) {
                replies.write(
                    HelloReply.newBuilder().setMessage(request.getName()).build());
              }
            }))));
    ManagedChannel channel = channel(server);
    List<CompletableFuture<Integer>> echoes = new ArrayList<>();

    for (int i = 0; i < 6; i++) {
      echoes.add(Threads.call(() -> echo(channel, 24)));
    }

    for (CompletableFuture<Integer> each : echoes) {
      assertThat(each.get(20, TimeUnit.SECONDS)).isEqualTo(24);
    }
  }

  private static int echo(ManagedChannel channel, int messages) {
    try (ClientStream<HelloRequest, HelloReply> stream =
        ClientStream.open(replies -> bidi(channel, replies))) {
      CompletableFuture<Void> writing = Threads.run(() -> {
        for (int i = 0; i < messages; i++) {
          stream.requests().write(TestService.request(MESSAGE));
        }
        stream.requests().complete();
      });
      int read = 0;
      for (HelloReply reply : stream.replies()) {
        assertThat(reply.getSerializedSize()).isEqualTo(MESSAGE);
        read++;
      }
      writing.join();
      return read;
    }
  }

  private static StreamObserver<HelloRequest> bidi(
      ManagedChannel channel, StreamObserver<HelloReply> replies) {
    return ClientCalls.asyncBidiStreamingCall(
        channel.newCall(TestService.BIDI, CallOptions.DEFAULT), replies);
  }

  @Test
  void readerOfTheServerHoldsUpTheClient() throws Exception {
    CompletableFuture<Integer> sum = new CompletableFuture<>();
    RpcServer server = start(RpcServer.builder()
        .addService(TestService.bidi(observer ->
            RpcMethod.<HelloRequest, HelloReply>bidiStreaming(observer, (requests, replies) -> {
              awaitRelease();
              int read = 0;
              for (HelloRequest request : requests) {
                read += request.getSerializedSize();
              }
              sum.complete(read);
            }))));
    ManagedChannel channel = channel(server);
    ClientStream<HelloRequest, HelloReply> stream =
        closing(ClientStream.open(replies -> bidi(channel, replies)));
    Threads.run(() -> {
      for (int i = 0; i < 100; i++) {
        stream.requests().write(TestService.request(MESSAGE));
        written.incrementAndGet();
      }
      stream.requests().complete();
    });

    assertThat((long) awaitStall() * MESSAGE).isLessThan(3L * 1024 * 1024);
    released.countDown();

    assertThat(sum.get(20, TimeUnit.SECONDS)).isEqualTo(100 * MESSAGE);
    assertThat(stream.replies()).isEmpty();
  }

  @Test
  void cancelledClientStreamFailsOnBothSides() throws Exception {
    CompletableFuture<String> seen = new CompletableFuture<>();
    RpcServer server = start(RpcServer.builder()
        .addService(TestService.bidi(observer ->
            RpcMethod.<HelloRequest, HelloReply>bidiStreaming(observer, (requests, replies) -> {
              try {
                requests.forEach(request -> replies.write(HelloReply.getDefaultInstance()));
              } catch (StatusRuntimeException e) {
                seen.complete(text(e.getStatus()));
                throw e;
              }
            }))));
    ManagedChannel channel = channel(server);
    ClientStream<HelloRequest, HelloReply> stream =
        closing(ClientStream.open(replies -> bidi(channel, replies)));
    stream.requests().write(REQUEST);
    Iterator<HelloReply> replies = stream.replies().iterator();
    replies.next();

    stream.cancel("enough");

    assertThat(text(failure(() -> stream.requests().write(REQUEST))))
        .isEqualTo("CANCELLED: enough");
    assertThat(text(failure(replies::hasNext))).isEqualTo("CANCELLED: enough");
    assertThat(text(failure(() -> stream.requests().write(REQUEST))))
        .isEqualTo("CANCELLED: enough");
    assertThat(seen.get(20, TimeUnit.SECONDS)).isEqualTo("CANCELLED: client cancelled");
  }

  private static boolean isDoneSoon(CompletableFuture<?> future) throws Exception {
    try {
      future.get(3, TimeUnit.SECONDS);
      return true;
    } catch (TimeoutException late) {
      return false;
    }
  }

  /** The last status waits behind what the client does not read; the service must not. */
  @Test
  void timeoutOfTheServerEndsAReadThatWaits() throws Exception {
    CompletableFuture<String> seen = new CompletableFuture<>();
    RpcServer server = start(RpcServer.builder()
        .timeout(TestService.BIDI, Duration.ofMillis(300))
        .addService(TestService.bidi(observer ->
            RpcMethod.<HelloRequest, HelloReply>bidiStreaming(observer, (requests, replies) -> {
              seen.complete(text(failure(() -> requests.iterator().hasNext())));
            }))));
    ManagedChannel channel = channel(server);

    // Once more if its time was over before the service had it.
    Await.until("a read has ended", () -> {
      closing(ClientStream.open((StreamObserver<HelloReply> replies) -> bidi(channel, replies)));
      return isDoneSoon(seen);
    });

    assertThat(seen.get()).isEqualTo("DEADLINE_EXCEEDED: call took longer than its timeout PT0.3S");
  }

  @Test
  void writeAsyncCompletesWhenThePeerHasCaughtUp() throws Exception {
    RpcServer server = start(
        RpcServer.builder().directExecutor().addService(TestService.stream((request, observer) -> {
          StreamWriter<HelloReply> replies = StreamWriter.of(observer);
          writer.complete(replies);
          writeAll(replies, 100);
        })));
    ClientCall<HelloRequest, HelloReply> call = unread(server.port(), CallOptions.DEFAULT);

    int stalled = awaitStall();
    assertThat((long) stalled * MESSAGE).isLessThan(3L * 1024 * 1024);
    CompletionStage<Void> second = writer.get().writeAsync(TestService.reply(10));
    assertThat(second.toCompletableFuture())
        .failsWithin(Duration.ofSeconds(20))
        .withThrowableThat()
        .withMessageContaining("previous writeAsync still pending (await its stage first)");
    call.request(1000);

    Await.until("all are written", () -> written.get() == 100);
  }

  private void writeAll(StreamWriter<HelloReply> replies, int left) {
    if (left == 0) {
      replies.complete();
      return;
    }
    replies.writeAsync(TestService.reply(MESSAGE)).whenComplete((done, error) -> {
      if (error == null) {
        written.incrementAndGet();
        writeAll(replies, left - 1);
      }
    });
  }

  /** Small messages: were each a stage in the one before, they would nest too deep. */
  @Test
  void allOfAnIteratorAreWrittenOnAnEventLoop() throws Exception {
    int messages = 10_000;
    RpcServer server = start(RpcServer.builder()
        .directExecutor()
        .addService(TestService.stream((request, observer) -> {
          StreamWriter<HelloReply> replies = StreamWriter.of(observer);
          replies
              .writeAllAsync(
                  Collections.nCopies(messages, TestService.reply(10)).iterator())
              .thenRun(replies::complete);
        })));
    AtomicInteger read = new AtomicInteger();

    stream(channel(server)).forEachRemaining(reply -> read.incrementAndGet());

    assertThat(read).hasValue(messages);
  }

  @Test
  void failureOfTheIteratorIsThatOfTheStage() throws Exception {
    CompletableFuture<String> failed = new CompletableFuture<>();
    RpcServer server =
        start(RpcServer.builder().addService(TestService.stream((request, observer) -> {
          StreamWriter<HelloReply> replies = StreamWriter.of(observer);
          Iterator<HelloReply> none = Collections.emptyIterator();
          replies.writeAllAsync(none).thenRun(replies::complete);
          replies
              .writeAllAsync(List.of(TestService.reply(10)).iterator())
              .whenComplete((done, error) -> failed.complete(String.valueOf(error.getMessage())));
        })));

    assertThat(stream(channel(server)).hasNext()).isFalse();
    assertThat(failed.get(20, TimeUnit.SECONDS))
        .isEqualTo("the stream is finished (expected: no write after complete or fail)");
  }

  @Test
  void executorThatIsFullEndsTheStream() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .executor(task -> {
          throw new RejectedExecutionException("full");
        })
        .addService(TestService.stream((request, observer) -> observer.onCompleted())));

    assertThat(text(failure(() -> stream(channel(server)).hasNext())))
        .isEqualTo("UNAVAILABLE: the server's executor rejected the call");
    Await.until("the call has ended", () -> server.counters().callsOpen() == 0);
  }

  @Test
  void writeAsyncFailsWhenTheClientCancels() throws Exception {
    CompletableFuture<Throwable> failed = new CompletableFuture<>();
    RpcServer server =
        start(RpcServer.builder().addService(TestService.stream((request, observer) -> {
          writeUntilItFails(StreamWriter.of(observer, 1), failed);
        })));
    ClientCall<HelloRequest, HelloReply> call = unread(server.port(), CallOptions.DEFAULT);
    awaitStall();
    assertThat(failed).isNotDone();

    call.cancel("enough", null);

    assertThat(failed.get(20, TimeUnit.SECONDS))
        .isInstanceOf(StatusRuntimeException.class)
        .hasMessage("CANCELLED: the client has cancelled the call");
  }

  private void writeUntilItFails(
      StreamWriter<HelloReply> replies, CompletableFuture<Throwable> failed) {
    replies.writeAsync(TestService.reply(MESSAGE)).whenComplete((done, error) -> {
      if (error == null) {
        written.incrementAndGet();
        writeUntilItFails(replies, failed);
      } else {
        failed.complete(error);
      }
    });
  }

  @Test
  void writeOnAnEventLoopIsRefused() throws Exception {
    CompletableFuture<String> refused = new CompletableFuture<>();
    RpcServer server = start(RpcServer.builder()
        .directExecutor()
        .addService(TestService.stream((request, observer) -> {
          StreamWriter<HelloReply> replies = StreamWriter.of(observer);
          try {
            replies.write(TestService.reply(10));
          } catch (IllegalStateException e) {
            refused.complete(String.valueOf(e.getMessage()));
          }
          replies.complete();
        })));

    assertThat(stream(channel(server)).hasNext()).isFalse();
    assertThat(refused.get())
        .isEqualTo("write would block an event loop"
            + " (expected: writeAsync, or a server without directExecutor)");
  }

  @Test
  void streamEndsOnce() throws Exception {
    List<String> refused = new ArrayList<>();
    RpcServer server =
        start(RpcServer.builder().addService(TestService.stream((request, observer) -> {
          StreamWriter<HelloReply> replies = StreamWriter.of(observer);
          replies.write(TestService.reply(10));
          replies.complete();
          refused.add(message(replies::complete));
          refused.add(message(() -> replies.fail(new IllegalArgumentException())));
          refused.add(message(() -> replies.write(TestService.reply(10))));
          released.countDown();
        })));

    Iterator<HelloReply> replies = stream(channel(server));

    assertThat(replies.next().getSerializedSize()).isEqualTo(10);
    assertThat(replies.hasNext()).isFalse();
    awaitRelease();
    assertThat(refused)
        .containsExactly(
            "the stream is finished (expected: complete or fail once)",
            "the stream is finished (expected: complete or fail once)",
            "the stream is finished (expected: no write after complete or fail)");
  }

  private static String message(Runnable refused) {
    try {
      refused.run();
      return "not refused";
    } catch (IllegalStateException e) {
      return String.valueOf(e.getMessage());
    }
  }

  @Test
  void failureOfTheWriterIsMapped() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .addService(TestService.stream((request, observer) -> StreamWriter.of(observer)
            .fail(new IllegalArgumentException(
                "no such name", Status.ABORTED.asRuntimeException())))));

    assertThat(text(failure(() -> stream(channel(server)).hasNext())))
        .isEqualTo("INVALID_ARGUMENT: no such name");
  }

  @Test
  void writerIsMadeInACallOnly() {
    assertThatIllegalStateException()
        .isThrownBy(() -> StreamWriter.of(new StreamObserver<HelloReply>() {
          @Override
          public void onNext(HelloReply reply) {}

          @Override
          public void onError(Throwable error) {}

          @Override
          public void onCompleted() {}
        }))
        .withMessage("no call of an RpcServer on this thread"
            + " (expected: the observer of a service's method, inside that method)");
  }

  @Test
  void interruptedWriteFailsAndTheThreadStaysSo() throws Exception {
    CompletableFuture<String> ended = new CompletableFuture<>();
    int[] port = {0};
    endless(RpcServer.builder(), port);
    unread(port[0], CallOptions.DEFAULT);
    awaitStall();

    Threads.run(() -> {
      Thread.currentThread().interrupt();
      Status status = failure(() -> writer.join().write(TestService.reply(MESSAGE)));
      ended.complete(text(status) + ", interrupted " + Thread.currentThread().isInterrupted());
    });

    assertThat(ended.get(20, TimeUnit.SECONDS))
        .isEqualTo("CANCELLED: interrupted while waiting for the peer, interrupted true");
  }

  /** A call inside a call is cancelled with it. */
  @Test
  void cancellationReachesCallsInsideTheCall() throws Exception {
    CompletableFuture<Throwable> inner = new CompletableFuture<>();
    int[] port = {0};
    CompletableFuture<Throwable> ended = endless(RpcServer.builder(), port);
    ManagedChannel toInner = client(port[0]);
    RpcServer outer = start(RpcServer.builder()
        .addService(TestService.stream((request, observer) ->
            RpcMethod.serverStreaming(observer, replies -> {
              try {
                stream(toInner).forEachRemaining(replies::write);
              } catch (RuntimeException e) {
                inner.complete(e);
                throw e;
              }
            }))));
    CancellableContext context = Context.current().withCancellation();
    CompletableFuture<Status> outcome = new CompletableFuture<>();
    context.run(() -> {
      Iterator<HelloReply> replies = stream(channel(outer));
      replies.next();
      context.cancel(new CompletionException("enough", null));
      outcome.complete(failure(() -> replies.forEachRemaining(reply -> {})));
    });

    assertThat(outcome.get().getCode()).isEqualTo(Status.Code.CANCELLED);
    assertThat(inner.get(20, TimeUnit.SECONDS)).hasMessageStartingWith("CANCELLED: ");
    assertThat(ended.get(20, TimeUnit.SECONDS))
        .hasMessage("CANCELLED: the client has cancelled the call");
  }

  /** A timeout ended the call with a lock held that every other writer needs. */
  @Test
  void whatRunsWhenAStreamIsCutHoldsUpNoOtherWriter() throws Exception {
    CompletableFuture<String> seen = new CompletableFuture<>();
    RpcServer server = start(RpcServer.builder()
        .directExecutor()
        .defaultTimeout(Duration.ofMillis(300))
        .addService(TestService.stream((request, observer) -> StreamWriter.of(observer)
            .onCancelled(() ->
                seen.complete(Threads.call(() -> text(failure(() -> observer.onNext(TICK))))
                    .orTimeout(20, TimeUnit.SECONDS)
                    .join())))));

    ManagedChannel channel = channel(server);

    // Once more if its time was over before the service had it.
    Await.until("a stream was cut", () -> {
      assertThat(failure(() -> stream(channel).hasNext()).getCode())
          .isEqualTo(Status.Code.DEADLINE_EXCEEDED);
      return isDoneSoon(seen);
    });

    assertThat(seen.get())
        .isEqualTo("DEADLINE_EXCEEDED: call took longer than defaultTimeout PT0.3S");
  }

  /**
   * Each time that its peer caught up, a stream that writes left an event behind for its thread.
   */
  @Test
  @SuppressWarnings("NullAway") // No call is needed for it.
  void readinessIsOneEventUntilThereIsAThreadForIt() {
    List<Runnable> tasks = new ArrayList<>();
    AtomicInteger ready = new AtomicInteger();
    ServerCall.Listener<HelloRequest> counting = new ServerCall.Listener<>() {
      @Override
      public void onReady() {
        ready.incrementAndGet();
      }
    };
    StreamListener<HelloRequest> listener = new StreamListener<>(
        TestCalls.begin(TestCalls.registry(1), "test.Service/Stream"),
        new CallExecutor(tasks::add, tasks::add, Context.ROOT),
        null,
        new MessageLimits(1, 1));
    listener.start(() -> counting);

    for (int i = 0; i < 1000; i++) {
      listener.onReady();
    }
    tasks.remove(0).run();
    assertThat(ready).hasValue(1);

    listener.onReady();
    tasks.remove(0).run();
    assertThat(ready).hasValue(2);
    assertThat(tasks).isEmpty();
  }

  /** The callback waited for the thread that waited for it. */
  @Test
  void streamThatTakesUpTheLastThreadHearsOfItsCancellation() throws Exception {
    CountDownLatch waits = new CountDownLatch(1);
    CountDownLatch cancelled = new CountDownLatch(1);
    CompletableFuture<Boolean> over = new CompletableFuture<>();
    RpcServer server = start(RpcServer.builder()
        .maxHandlerThreads(1)
        .addService(TestService.stream((request, observer) ->
            RpcMethod.serverStreaming(observer, replies -> {
              replies.onCancelled(cancelled::countDown);
              waits.countDown();
              over.complete(cancelled.await(20, TimeUnit.SECONDS));
            }))));
    ClientCall<HelloRequest, HelloReply> call = unread(server.port(), CallOptions.DEFAULT);
    waits.await();

    call.cancel("enough", null);

    assertThat(over.get(30, TimeUnit.SECONDS)).isTrue();
  }

  /** The time began when there was a thread. */
  @Test
  void timeoutEndsAStreamThatWaitsForAThread() throws Exception {
    List<Runnable> tasks = Collections.synchronizedList(new ArrayList<>());
    AtomicInteger started = new AtomicInteger();
    RpcServer server = start(RpcServer.builder()
        .executor(tasks::add)
        .defaultTimeout(Duration.ofMillis(100))
        .addService(TestService.bidi(observer -> {
          started.incrementAndGet();
          throw new IllegalStateException("not to be called");
        })));
    ManagedChannel channel = channel(server);
    ClientStream<HelloRequest, HelloReply> stream =
        closing(ClientStream.open(replies -> bidi(channel, replies)));

    assertThat(text(failure(() -> stream.replies().iterator().hasNext())))
        .isEqualTo("DEADLINE_EXCEEDED: call took longer than defaultTimeout PT0.1S");

    assertThat(tasks).hasSize(1);
    tasks.remove(0).run();
    assertThat(started).hasValue(0);
  }

  /** Threads of a test's own. */
  private static final class Pool implements AutoCloseable {
    final ExecutorService threads;

    Pool(int threads) {
      this.threads = Executors.newFixedThreadPool(threads);
    }

    @Override
    public void close() {
      threads.shutdownNow();
    }
  }
}
