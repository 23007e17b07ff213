package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What bodies find on their threads: what interceptors set around events, and what they have set
 * themselves, while further events of the same call pass through the interceptors.
 */
class InterceptedBodiesTest extends RpcTest {
  private static final Context.Key<String> KEY = Context.key("user");
  private static final ThreadLocal<String> USER = new ThreadLocal<>();
  private static final ThreadLocal<String> OWN = new ThreadLocal<>();
  private static final int REQUESTS = 20;

  enum Mode {
    DEFAULT,
    ONE_THREAD,
    DIRECT
  }

  enum Kind {
    UNARY,
    UNARY_ASYNC,
    SERVER_STREAMING,
    CLIENT_STREAMING,
    BIDI,
    /** Its client sends requests only after the first reply. */
    SERVER_FIRST
  }

  enum Intercepted implements ServerInterceptor {
    /** Sets and clears something for the thread around each event, as frameworks do. */
    EVENTS {
      @Override
      public <Q, R> ServerCall.Listener<Q> interceptCall(
          ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
        return new Around<>(inside(() -> next.startCall(call, headers)), true);
      }
    },
    /** As many write it by hand: for requests only. */
    REQUESTS_ONLY {
      @Override
      public <Q, R> ServerCall.Listener<Q> interceptCall(
          ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
        return new Around<>(inside(() -> next.startCall(call, headers)), false);
      }
    },
    CONTEXT {
      @Override
      public <Q, R> ServerCall.Listener<Q> interceptCall(
          ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
        return Contexts.interceptCall(
            Context.current().withValue(KEY, "alice"), call, headers, next);
      }
    },
    /** Attached while the call starts only, which a stream of requests keeps. */
    CONTEXT_OF_THE_START {
      @Override
      public <Q, R> ServerCall.Listener<Q> interceptCall(
          ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
        Context user = Context.current().withValue(KEY, "alice");
        Context before = user.attach();
        try {
          return next.startCall(call, headers);
        } finally {
          user.detach(before);
        }
      }
    }
  }

  private interface Start<Q> {
    ServerCall.Listener<Q> start();
  }

  private static <Q> ServerCall.Listener<Q> inside(Start<Q> start) {
    USER.set("alice");
    try {
      return start.start();
    } finally {
      clear();
    }
  }

  /** All there is, as loggers clear their context. */
  private static void clear() {
    USER.remove();
    OWN.remove();
  }

  /** How long the last call waited for its first request. */
  private static volatile long waited;

  private static final class Around<Q> extends SimpleForwardingServerCallListener<Q> {
    private final boolean all;
    private final long started = System.nanoTime();
    private boolean begun;

    Around(ServerCall.Listener<Q> listener, boolean all) {
      super(listener);
      this.all = all;
    }

    private void around(boolean applies, Runnable event) {
      if (applies) {
        USER.set("alice");
      }
      try {
        event.run();
      } finally {
        clear();
      }
    }

    @Override
    public void onMessage(Q message) {
      waited = begun ? waited : System.nanoTime() - started;
      begun = true;
      around(true, () -> super.onMessage(message));
    }

    @Override
    public void onHalfClose() {
      around(true, super::onHalfClose);
    }

    @Override
    public void onReady() {
      around(all, super::onReady);
    }

    @Override
    public void onCancel() {
      around(all, super::onCancel);
    }

    @Override
    public void onComplete() {
      around(all, super::onComplete);
    }
  }

  record Row(Mode mode, Kind kind, Intercepted interceptor, boolean ofTheService) {
    boolean isPossible() {
      boolean unary = kind == Kind.UNARY || kind == Kind.UNARY_ASYNC;
      return (mode != Mode.DIRECT || unary)
          // A call that has started has no context of its start, but in a stream of requests.
          && (interceptor != Intercepted.CONTEXT_OF_THE_START
              || Set.of(Kind.CLIENT_STREAMING, Kind.BIDI, Kind.SERVER_FIRST).contains(kind))
          && (interceptor != Intercepted.REQUESTS_ONLY || kind != Kind.SERVER_FIRST);
    }
  }

  static List<Row> rows() {
    List<Row> rows = new ArrayList<>();
    for (Mode mode : Mode.values()) {
      for (Kind kind : Kind.values()) {
        for (Intercepted interceptor : Intercepted.values()) {
          Row row = new Row(mode, kind, interceptor, mode == Mode.ONE_THREAD);
          if (row.isPossible()) {
            rows.add(row);
          }
        }
      }
    }
    return rows;
  }

  private static HelloReply user() {
    String found = KEY.get() == null ? USER.get() : KEY.get();
    return HelloReply.newBuilder().setMessage(found + " " + OWN.get()).build();
  }

  private static HelloReply sum(StreamReader<HelloRequest> requests) {
    HelloReply first = user();
    OWN.set("own");
    int read = 0;
    for (HelloRequest request : requests) {
      read += request.equals(REQUEST) ? 1 : 0;
      if (!user().getMessage().endsWith(" own")) {
        return user();
      }
    }
    return HelloReply.newBuilder(first)
        .setMessage(first.getMessage() + " " + read + " " + user().getMessage())
        .build();
  }

  private static void write(StreamWriter<HelloReply> replies) {
    replies.write(user());
    OWN.set("own");
    for (int i = 0; i < 50; i++) {
      replies.write(TestService.reply(64 * 1024));
    }
    replies.write(user());
  }

  private static ServerServiceDefinition service(Kind kind) {
    return ServerServiceDefinition.builder("test.Service")
        .addMethod(
            TestService.UNARY,
            ServerCalls.asyncUnaryCall(
                (HelloRequest request, StreamObserver<HelloReply> observer) -> {
                  if (kind == Kind.UNARY) {
                    RpcMethod.unary(observer, InterceptedBodiesTest::user);
                  } else {
                    RpcMethod.unaryAsync(observer, () -> CompletableFuture.completedFuture(user()));
                  }
                }))
        .addMethod(
            TestService.STREAM,
            ServerCalls.asyncServerStreamingCall(
                (HelloRequest request, StreamObserver<HelloReply> observer) ->
                    RpcMethod.serverStreaming(observer, InterceptedBodiesTest::write)))
        .addMethod(
            TestService.BIDI,
            ServerCalls.asyncBidiStreamingCall((StreamObserver<HelloReply> observer) ->
                kind == Kind.CLIENT_STREAMING
                    ? RpcMethod.<HelloRequest, HelloReply>clientStreaming(
                        observer, InterceptedBodiesTest::sum)
                    : RpcMethod.<HelloRequest, HelloReply>bidiStreaming(
                        observer, (requests, replies) -> {
                          if (kind == Kind.SERVER_FIRST) {
                            replies.write(user());
                          }
                          replies.write(sum(requests));
                        })))
        .build();
  }

  @ParameterizedTest
  @MethodSource("rows")
  void bodyIsInsideWhatInterceptorsSetAndKeepsItsOwn(Row row) throws Exception {
    RpcServerBuilder builder = RpcServer.builder();
    if (row.mode == Mode.ONE_THREAD) {
      ThreadPoolExecutor one = CallThreads.platform(1);
      closing(one::shutdownNow);
      builder.executor(one);
    } else if (row.mode == Mode.DIRECT) {
      builder.directExecutor();
    }
    ServerServiceDefinition service = service(row.kind);
    RpcServer server = start(
        row.ofTheService
            ? builder.addService(ServerInterceptors.intercept(service, row.interceptor))
            : builder.addService(service).intercept(row.interceptor));
    RpcChannel channel =
        closing(RpcChannel.builder().address("127.0.0.1", server.port()).build());

    switch (row.kind) {
      case UNARY, UNARY_ASYNC -> assertThat(call(channel).getMessage()).isEqualTo("alice null");
      case SERVER_STREAMING -> {
        List<HelloReply> replies = new ArrayList<>();
        stream(channel).forEachRemaining(replies::add);
        assertThat(replies).hasSize(52);
        assertThat(replies.get(0).getMessage()).isEqualTo("alice null");
        assertThat(replies.get(51).getMessage()).isEqualTo("alice own");
      }
      default -> {
        Runnable converse = () -> converse(channel, row.kind == Kind.SERVER_FIRST);
        if (row.interceptor == Intercepted.REQUESTS_ONLY) {
          // On a machine that stands still, a client that is late looks like one that waits.
          untilInTime(converse);
        } else {
          converse.run();
        }
      }
    }
  }

  private static void untilInTime(Runnable converse) {
    for (boolean again = true; again; ) {
      Throwable failed = catchThrowable(converse::run);
      again = failed != null && waited > TimeUnit.MILLISECONDS.toNanos(50);
      assertThat(again ? null : failed).isNull();
    }
  }

  private static void converse(RpcChannel channel, boolean serverFirst) {
    MethodDescriptor<HelloRequest, HelloReply> method = TestService.BIDI;
    try (ClientStream<HelloRequest, HelloReply> stream =
        ClientStream.open(replies -> ClientCalls.asyncBidiStreamingCall(
            channel.newCall(method, CallOptions.DEFAULT), replies))) {
      Iterator<HelloReply> replies = stream.replies().iterator();
      if (serverFirst) {
        assertThat(replies.next().getMessage()).isEqualTo("alice null");
      }
      for (int i = 0; i < REQUESTS; i++) {
        stream.requests().write(REQUEST);
      }
      stream.requests().complete();
      assertThat(replies.next().getMessage()).isEqualTo("alice null " + REQUESTS + " alice own");
      assertThat(replies.hasNext()).isFalse();
    }
  }
}
