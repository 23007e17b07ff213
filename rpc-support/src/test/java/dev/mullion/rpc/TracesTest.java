package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.opentelemetry.GrpcOpenTelemetry;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanId;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.propagation.ContextPropagators;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.testing.exporter.InMemorySpanExporter;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.opentelemetry.sdk.trace.export.SimpleSpanProcessor;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Spans of both sides, with no environment variable. */
class TracesTest extends RpcTest {
  private final InMemorySpanExporter spans = InMemorySpanExporter.create();
  private final OpenTelemetrySdk telemetry = telemetry();

  @BeforeEach
  void closeTelemetryLast() {
    closing(telemetry);
  }

  private OpenTelemetrySdk telemetry() {
    return OpenTelemetrySdk.builder()
        .setTracerProvider(SdkTracerProvider.builder()
            .addSpanProcessor(SimpleSpanProcessor.create(spans))
            .build())
        .setPropagators(ContextPropagators.create(W3CTraceContextPropagator.getInstance()))
        .build();
  }

  private RpcServer server(ServerServiceDefinition service) throws IOException {
    return start(
        RpcServer.builder().observe(OpenTelemetryObserver.of(telemetry)).addService(service));
  }

  private RpcServer greeter() throws IOException {
    return server(new GreeterService().bindService());
  }

  private RpcChannel to(RpcServer server) {
    return closing(RpcChannel.builder()
        .address("127.0.0.1", server.port())
        .observe(OpenTelemetryObserver.of(telemetry))
        .build());
  }

  private boolean has(String name) {
    return spans.getFinishedSpanItems().stream().anyMatch(each -> each.getName().equals(name));
  }

  /** Waits for it, since a server may be a moment behind its client. */
  private SpanData span(String name) throws Exception {
    Await.until("there is a span " + name, () -> has(name));
    List<SpanData> found = spans.getFinishedSpanItems().stream()
        .filter(each -> each.getName().equals(name))
        .toList();
    assertThat(found).hasSize(1);
    return found.get(0);
  }

  private void assertThatParentOf(String child, String parent) throws Exception {
    assertThat(span(child).getParentSpanId())
        .as("parent of %s is %s", child, parent)
        .isEqualTo(span(parent).getSpanId());
    assertThat(span(child).getTraceId()).isEqualTo(span(parent).getTraceId());
  }

  @Test
  void serversSpanIsAChildOfTheClients() throws Exception {
    GreeterClient.of(to(greeter())).sayHello("x");

    assertThat(span("Sent.hello.Greeter.SayHello").getParentSpanId())
        .isEqualTo(SpanId.getInvalid());
    assertThatParentOf("Attempt.hello.Greeter.SayHello", "Sent.hello.Greeter.SayHello");
    assertThatParentOf("Recv.hello.Greeter.SayHello", "Attempt.hello.Greeter.SayHello");
    assertThat(span("Sent.hello.Greeter.SayHello").getStatus().getStatusCode())
        .isEqualTo(StatusCode.OK);
    assertThat(span("Recv.hello.Greeter.SayHello").getStatus().getStatusCode())
        .isEqualTo(StatusCode.OK);
  }

  @Test
  void clientsSpanIsAChildOfTheCurrentOne() throws Exception {
    RpcChannel channel = to(greeter());
    Span own = telemetry.getTracer("test").spanBuilder("own").startSpan();

    try (var current = own.makeCurrent()) {
      assertThat(current).isNotNull();
      GreeterClient.of(channel).sayHello("x");
    }
    own.end();

    assertThatParentOf("Sent.hello.Greeter.SayHello", "own");
  }

  @Test
  void spansOfACallThatFailsSayWithWhichStatus() throws Exception {
    RpcServer server = server(TestService.unary((request, replies) ->
        replies.onError(Status.NOT_FOUND.withDescription("no such thing").asRuntimeException())));

    assertThat(failure(() -> call(to(server))).getCode()).isEqualTo(Status.Code.NOT_FOUND);

    for (String side : List.of("Sent", "Attempt", "Recv")) {
      SpanData span = span(side + ".test.Service.Unary");
      assertThat(span.getStatus().getStatusCode()).isEqualTo(StatusCode.ERROR);
      assertThat(span.getStatus().getDescription()).isEqualTo("NOT_FOUND: no such thing");
    }
  }

  @Test
  void callInsideAUnaryCallContinuesTheTrace() throws Exception {
    GreeterClient greeter = GreeterClient.of(to(greeter()));
    RpcServer outer = server(TestService.unary((request, replies) ->
        RpcMethod.unary(replies, () -> reply(greeter.sayHello(request.getName())))));

    assertThat(call(to(outer)).getMessage()).isEqualTo("Hello, x!");

    assertThatParentOf("Sent.hello.Greeter.SayHello", "Recv.test.Service.Unary");
    assertThatParentOf("Recv.hello.Greeter.SayHello", "Attempt.hello.Greeter.SayHello");
  }

  private static HelloReply reply(String message) {
    return HelloReply.newBuilder().setMessage(message).build();
  }

  /** Streams run on other threads than those on which gRPC tells of them. */
  @Test
  void callInsideAStreamContinuesTheTrace() throws Exception {
    GreeterClient greeter = GreeterClient.of(to(greeter()));
    RpcServer outer = server(TestService.bidi(observer ->
        RpcMethod.clientStreaming(observer, (StreamReader<HelloRequest> requests) -> {
          for (HelloRequest request : requests) {
            return reply(greeter.sayHello(request.getName()));
          }
          return reply("none");
        })));

    assertThat(ClientCalls.blockingUnaryCall(
            to(outer),
            TestService.BIDI.toBuilder()
                .setType(MethodDescriptor.MethodType.UNARY)
                .build(),
            CallOptions.DEFAULT,
            REQUEST))
        .isEqualTo(reply("Hello, x!"));

    assertThatParentOf("Sent.hello.Greeter.SayHello", "Recv.test.Service.Bidi");
  }

  @Test
  void eventsOfAStreamAreInItsSpan() throws Exception {
    CompletableFuture<String> atStart = new CompletableFuture<>();
    CompletableFuture<String> atMessage = new CompletableFuture<>();
    RpcServer server = server(TestService.bidi(observer -> {
      atStart.complete(Span.current().getSpanContext().getSpanId());
      return new StreamObserver<>() {
        @Override
        public void onNext(HelloRequest request) {
          atMessage.complete(Span.current().getSpanContext().getSpanId());
        }

        @Override
        public void onError(Throwable error) {}

        @Override
        public void onCompleted() {
          observer.onNext(reply(Span.current().getSpanContext().getSpanId()));
          observer.onCompleted();
        }
      };
    }));

    String atEnd = ClientCalls.blockingUnaryCall(
            to(server),
            TestService.BIDI.toBuilder()
                .setType(MethodDescriptor.MethodType.UNARY)
                .build(),
            CallOptions.DEFAULT,
            REQUEST)
        .getMessage();

    String expected = span("Recv.test.Service.Bidi").getSpanId();
    assertThat(List.of(atStart.get(), atMessage.get(), atEnd)).containsOnly(expected);
  }

  /** When a timeout of the server's limited the call, its context was one without the trace. */
  @Test
  void callOfAnotherThreadContinuesTheTraceOfTheContext() throws Exception {
    GreeterClient greeter = GreeterClient.of(to(greeter()));
    RpcServer outer = server(TestService.unary((request, replies) -> {
      Executor elsewhere = Context.currentContextExecutor(Threads::run);
      RpcMethod.unaryAsync(
          replies,
          () -> CompletableFuture.supplyAsync(
              () -> reply(greeter.sayHello(request.getName())), elsewhere));
    }));

    assertThat(call(to(outer)).getMessage()).isEqualTo("Hello, x!");

    assertThatParentOf("Sent.hello.Greeter.SayHello", "Recv.test.Service.Unary");
  }

  /** gRPC's switch is one for the whole process. */
  @Test
  void othersInTheProcessAreNotTraced() throws Exception {
    RpcServer server = start(RpcServer.builder().addService(new GreeterService()));
    to(server);
    NettyChannelBuilder untraced = NettyChannelBuilder.forAddress("127.0.0.1", server.port());
    GrpcOpenTelemetry.newBuilder().sdk(telemetry).build().configureChannelBuilder(untraced);
    Channel channel = channel(untraced);

    assertThat(GreeterClient.of(channel).sayHello("x")).isEqualTo("Hello, x!");

    assertThat(spans.getFinishedSpanItems()).isEmpty();
  }
}
