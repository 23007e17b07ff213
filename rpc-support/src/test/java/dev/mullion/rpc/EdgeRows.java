package dev.mullion.rpc;

import static dev.mullion.rpc.RpcTest.REQUEST;
import static dev.mullion.rpc.RpcTest.call;
import static dev.mullion.rpc.RpcTest.failure;
import static dev.mullion.rpc.RpcTest.text;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Rows of the table of {@link SettingsEdgesTest}, and the calls that must work at the edges. */
abstract class EdgeRows {
  static final Duration NANO = Duration.ofNanos(1);
  static final Duration GREATEST = ChronoUnit.FOREVER.getDuration();
  static final Duration NEGATIVE = NANO.negated();
  static final int MAX = Integer.MAX_VALUE;
  static final Duration SECOND = Duration.ofSeconds(1);
  static final String MORE = "x".repeat(1000);
  static final int STREAM = 20;
  static final Duration MILLISECOND = Duration.ofMillis(1);

  /** What is done with a value that is allowed; with another one it throws. */
  interface Use<V> {
    void at(V value) throws Exception;
  }

  /**
   * One number of a setting.
   *
   * @param name its name in texts
   */
  record Row<V>(String setting, String name, Use<V> use, List<V> allowed, List<V> refused) {
    @Override
    public String toString() {
      return setting + " " + name;
    }
  }

  interface Expected<V> {
    void of(V value, RpcChannel channel) throws Exception;
  }

  final List<Row<?>> rows = new ArrayList<>();

  <V> void row(String setting, String name, List<V> allowed, List<V> refused, Use<V> use) {
    rows.add(new Row<>(setting, name, use, allowed, refused));
  }

  static String parameters(String setting, Class<?> type) {
    String only = type == Integer.class ? "int" : type == Long.class ? "long" : "Duration";
    return setting.endsWith(")") ? setting : setting + "(" + only + ")";
  }

  static RpcChannelBuilder to(RpcServer server) {
    return RpcChannel.builder().address("127.0.0.1", server.port());
  }

  /** A service of three kinds of methods, which reply with what they are sent. */
  static ServerServiceDefinition echo() {
    return ServerServiceDefinition.builder(ServiceDescriptor.newBuilder("test.Service")
            .addMethod(TestService.UNARY)
            .addMethod(TestService.STREAM)
            .addMethod(TestService.BIDI)
            .build())
        .addMethod(
            TestService.UNARY,
            ServerCalls.asyncUnaryCall(
                (request, observer) -> RpcMethod.unary(observer, () -> reply(request))))
        .addMethod(
            TestService.STREAM,
            ServerCalls.asyncServerStreamingCall((request, observer) ->
                RpcMethod.serverStreaming(observer, replies -> {
                  for (int i = 0; i < STREAM; i++) {
                    replies.write(reply(request));
                  }
                })))
        .addMethod(
            TestService.BIDI,
            ServerCalls.asyncBidiStreamingCall(observer ->
                RpcMethod.bidiStreaming(observer, (requests, replies) -> {
                  for (HelloRequest each : requests) {
                    replies.write(reply(each));
                  }
                })))
        .build();
  }

  static HelloReply reply(HelloRequest request) {
    return HelloReply.newBuilder().setMessage(request.getName()).build();
  }

  static HelloRequest request(String name) {
    return HelloRequest.newBuilder().setName(name).build();
  }

  /** Calls of each kind, one after the other. */
  static <V> void works(V value, Channel channel) throws Exception {
    exchange(channel, MORE);
  }

  static void exchange(Channel channel, String text) {
    HelloRequest request = request(text);
    for (int i = 0; i < 5; i++) {
      assertThat(call(channel, TestService.UNARY, request)).isEqualTo(reply(request));
    }
    Iterator<HelloReply> replies = ClientCalls.blockingServerStreamingCall(
        channel, TestService.STREAM, CallOptions.DEFAULT, request);
    assertThat(replies).toIterable().hasSize(STREAM).containsOnly(reply(request));
    try (ClientStream<HelloRequest, HelloReply> chat = chat(channel)) {
      Iterator<HelloReply> answers = chat.replies().iterator();
      for (int i = 0; i < STREAM; i++) {
        chat.requests().write(request);
        assertThat(answers.next()).isEqualTo(reply(request));
      }
      chat.requests().complete();
      assertThat(answers.hasNext()).isFalse();
    }
  }

  static ClientStream<HelloRequest, HelloReply> chat(Channel channel) {
    return ClientStream.open(came -> ClientCalls.asyncBidiStreamingCall(
        channel.newCall(TestService.BIDI, CallOptions.DEFAULT), came));
  }

  static <V> void emptyIfLeast(V value, Channel channel) {
    if (!value.equals(1)) {
      exchange(channel, MORE);
      return;
    }
    exchange(channel, "");
    // No message of Protobuf has one byte.
    assertThat(text(failure(() -> call(channel, TestService.UNARY, REQUEST))))
        .matches("RESOURCE_EXHAUSTED: (in|out)bound message of (more than )?[1-3] bytes exceeds"
            + " max(In|Out)boundMessageSize 1");
  }

  static Expected<Duration> late(String text) {
    return (value, channel) -> {
      if (value.equals(NANO)) {
        assertThat(text(failure(() -> call(channel))))
            .startsWith("DEADLINE_EXCEEDED: call took longer than " + text + " " + NANO);
      } else {
        exchange(channel, MORE);
      }
    };
  }

  /** More calls than may be open wait for their turn, in the client or for a thread. */
  static <V> void manyAtOnce(V value, Channel channel) throws Exception {
    exchange(channel, MORE);
    List<CompletableFuture<String>> replies = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      replies.add(unaryAsync(channel, "x" + i));
    }
    for (int i = 0; i < replies.size(); i++) {
      assertThat(replies.get(i).get(20, TimeUnit.SECONDS)).isEqualTo("x" + i);
    }
  }

  static CompletableFuture<String> unaryAsync(Channel channel, String text) {
    CompletableFuture<String> reply = new CompletableFuture<>();
    ClientCalls.asyncUnaryCall(
        channel.newCall(TestService.UNARY, CallOptions.DEFAULT), request(text), observing(reply));
    return reply;
  }

  static StreamObserver<HelloReply> observing(CompletableFuture<String> reply) {
    return new StreamObserver<>() {
      @Override
      public void onNext(HelloReply value) {
        reply.complete(value.getMessage());
      }

      @Override
      public void onError(Throwable error) {
        reply.completeExceptionally(error);
      }

      @Override
      public void onCompleted() {}
    };
  }
}
