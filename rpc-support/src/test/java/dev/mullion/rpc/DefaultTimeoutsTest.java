package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.HOURS;
import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.ServerCalls.UnaryMethod;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.LinkedBlockingQueue;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Which side's default ends a call, by what is set where. */
class DefaultTimeoutsTest extends RpcTest {
  private static final Duration SHORT = Duration.ofMillis(300);
  private static final Duration LONG = Duration.ofHours(1);
  private static final Duration MINUTE = Duration.ofMinutes(1);

  /** What is set, of which null is nothing. */
  private record Row(
      MethodType type,
      @Nullable Duration ofChannel,
      @Nullable Duration ofServer,
      @Nullable Duration ofCall) {
    /** The first of these that is set is the call's deadline in the service. */
    @Nullable
    Duration inService() {
      Duration given = ofCall != null ? ofCall : ofChannel != null ? ofChannel : ofServer;
      return given != null ? given : type == MethodType.UNARY ? MINUTE : null;
    }

    /** Returns how the description begins of what ends the call soon, or null if nothing does. */
    @Nullable
    String ending() {
      if (ofCall != null) {
        return ofCall.equals(SHORT) ? "" : null;
      }
      if (ofChannel != null) {
        return ofChannel.equals(SHORT)
            ? "call took longer than the channel's defaultTimeout PT0.3S: "
            : null;
      }
      if (SHORT.equals(ofServer)) {
        return "call took longer than defaultTimeout PT0.3S";
      }
      return type == MethodType.UNARY
          ? "call took longer than the channel's defaultTimeout PT0.3S, the default of unary calls"
              + " (expected: defaultTimeout of the channel, or a deadline of the call)"
          : null;
    }

    /** The channel's own default is as short as the others, unless they are to come first. */
    Duration ofUnaryCalls() {
      return SHORT.equals(ofServer) ? MINUTE : SHORT;
    }
  }

  private static List<Row> rows() {
    List<Row> rows = new ArrayList<>();
    for (MethodType type : List.of(MethodType.UNARY, MethodType.SERVER_STREAMING)) {
      for (Duration ofChannel : new Duration[] {null, SHORT, LONG}) {
        for (Duration ofServer : new Duration[] {null, SHORT, LONG}) {
          for (Duration ofCall : new Duration[] {null, SHORT, LONG}) {
            rows.add(new Row(type, ofChannel, ofServer, ofCall));
          }
        }
      }
    }
    return rows;
  }

  /** Starts a server whose calls wait, once their deadlines have been seen. */
  private RpcServer server(
      @Nullable Duration defaultTimeout, BlockingQueue<Optional<Deadline>> seen) throws Exception {
    UnaryMethod<HelloRequest, HelloReply> wait =
        (request, replies) -> seen.add(Optional.ofNullable(Context.current().getDeadline()));
    RpcServerBuilder builder = RpcServer.builder()
        .addService(ServerServiceDefinition.builder("test.Service")
            .addMethod(TestService.UNARY, ServerCalls.asyncUnaryCall(wait))
            .addMethod(TestService.STREAM, ServerCalls.asyncServerStreamingCall(wait::invoke))
            .build());
    return start(defaultTimeout == null ? builder : builder.defaultTimeout(defaultTimeout));
  }

  private static RpcChannelBuilder to(RpcServer server) {
    return RpcChannel.builder().address("127.0.0.1", server.port());
  }

  @Test
  void whatIsSetCountsBeforeWhatIsNot() throws Exception {
    Threads.forEach(rows(), this::whatIsSetCountsBeforeWhatIsNot);
  }

  private void whatIsSetCountsBeforeWhatIsNot(Row row) throws Exception {
    BlockingQueue<Optional<Deadline>> seen = new LinkedBlockingQueue<>();
    RpcChannelBuilder builder = to(server(row.ofServer(), seen));
    builder.unaryTimeout = row.ofUnaryCalls();
    if (row.ofChannel() != null) {
      builder.defaultTimeout(row.ofChannel());
    }
    RpcChannel channel = closing(builder.build());
    CompletableFuture<Status> ended = new CompletableFuture<>();
    ClientCall<HelloRequest, HelloReply> call = begin(channel, row, ended);
    if (!SHORT.equals(row.inService())) {
      // Once more if its time was over before the service had it.
      Await.until("it has begun", () -> !seen.isEmpty() || ended.isDone());
      while (seen.isEmpty()) {
        CompletableFuture<Status> again = new CompletableFuture<>();
        begin(channel, row, again);
        Await.until("it has begun again", () -> !seen.isEmpty() || again.isDone());
      }
      assertThat(inWords(seen.take())).isEqualTo(row.inService());
    }
    String ending = row.ending();
    if (ending == null) {
      call.cancel("it would take too long", null);
      assertThat(ended.get(30, SECONDS).getCode()).isEqualTo(Status.Code.CANCELLED);
    } else {
      Status status = ended.get(30, SECONDS);
      assertThat(status.getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
      assertThat(status.getDescription()).startsWith(ending);
    }
  }

  private static ClientCall<HelloRequest, HelloReply> begin(
      RpcChannel channel, Row row, CompletableFuture<Status> ended) {
    CallOptions options = row.ofCall() == null
        ? CallOptions.DEFAULT
        : CallOptions.DEFAULT.withDeadlineAfter(row.ofCall().toNanos(), NANOSECONDS);
    MethodDescriptor<HelloRequest, HelloReply> method =
        row.type() == MethodType.UNARY ? TestService.UNARY : TestService.STREAM;
    ClientCall<HelloRequest, HelloReply> call = channel.newCall(method, options);
    start(call, ended);
    return call;
  }

  /** All of its threads may wait for calls, which nobody would end then. */
  @Test
  void defaultOfUnaryCallsCountsWhenTheCommonPoolIsTaken() throws Exception {
    RpcChannelBuilder builder = to(server(LONG, new LinkedBlockingQueue<>()));
    builder.unaryTimeout = SHORT;
    RpcChannel channel = closing(builder.build());
    List<CompletableFuture<Status>> ended = new ArrayList<>();

    for (int i = 0; i < 2 * ForkJoinPool.getCommonPoolParallelism() + 2; i++) {
      CompletableFuture<Status> each = new CompletableFuture<>();
      ended.add(each);
      ForkJoinPool.commonPool().execute(() -> each.complete(failure(() -> call(channel))));
    }

    for (CompletableFuture<Status> each : ended) {
      assertThat(each.get(30, SECONDS).getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
    }
  }

  private static void start(
      ClientCall<HelloRequest, HelloReply> call, CompletableFuture<Status> ended) {
    call.start(
        new ClientCall.Listener<>() {
          @Override
          public void onClose(Status status, Metadata trailers) {
            ended.complete(status);
          }
        },
        new Metadata());
    call.request(1);
    call.sendMessage(REQUEST);
    call.halfClose();
  }

  /** Returns what was set, of which some time has passed; it is not short. */
  private static @Nullable Duration inWords(Optional<Deadline> deadline) {
    if (deadline.isEmpty()) {
      return null;
    }
    long left = deadline.get().timeRemaining(SECONDS);
    return left <= MINUTE.toSeconds() ? MINUTE : LONG;
  }

  /** It came before them, so the channel's default always won against that of an interceptor. */
  @Test
  void interceptorsSeeNoDeadlineThatNobodyHasSet() throws Exception {
    List<Optional<Deadline>> before = new ArrayList<>();
    BlockingQueue<Optional<Deadline>> seen = new LinkedBlockingQueue<>();
    RpcServer server = server(null, seen);
    for (Duration ofChannel : new Duration[] {null, SHORT}) {
      RpcChannelBuilder builder = to(server).intercept(new ClientInterceptor() {
        @Override
        public <Q, R> ClientCall<Q, R> interceptCall(
            MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
          before.add(Optional.ofNullable(options.getDeadline()));
          return next.newCall(method, options.withDeadlineAfter(1, HOURS));
        }
      });
      if (ofChannel != null) {
        builder.defaultTimeout(ofChannel);
      }
      RpcChannel channel = closing(builder.build());
      CompletableFuture<Status> ended = new CompletableFuture<>();
      ClientCall<HelloRequest, HelloReply> call =
          channel.newCall(TestService.UNARY, CallOptions.DEFAULT);
      start(call, ended);

      assertThat(inWords(seen.take())).isEqualTo(LONG);
      call.cancel("seen", null);
      assertThat(ended.get(30, SECONDS).getCode()).isEqualTo(Status.Code.CANCELLED);
    }
    assertThat(before).containsExactly(Optional.empty(), Optional.empty());
  }

  /** A limit of the channel's ends a call for them too, and what they change is what is limited. */
  @Test
  void interceptorsSeeWhatTheChannelMakesOfACall() throws Exception {
    List<String> closed = new ArrayList<>();
    RpcChannel channel = closing(to(server(null, new LinkedBlockingQueue<>()))
        .maxOutboundMessageSize(10)
        .intercept(new ClientInterceptor() {
          @Override
          public <Q, R> ClientCall<Q, R> interceptCall(
              MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
            return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
              @Override
              public void start(Listener<R> listener, Metadata headers) {
                super.start(
                    new SimpleForwardingClientCallListener<>(listener) {
                      @Override
                      public void onClose(Status status, Metadata trailers) {
                        closed.add(text(status));
                        super.onClose(status, trailers);
                      }
                    },
                    headers);
              }
            };
          }
        })
        .build());

    failure(() -> call(channel, TestService.UNARY, TestService.request(11)));

    assertThat(closed)
        .containsExactly("RESOURCE_EXHAUSTED: outbound message of 11 bytes exceeds"
            + " maxOutboundMessageSize 10");
  }
}
