package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.distribution.DistributionStatisticConfig;
import io.micrometer.core.instrument.distribution.pause.PauseDetector;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Whatever is thrown from whatever code of users a server calls: the call ends once, with a status,
 * and what only watches calls changes none.
 */
class ThrownByUsersTest extends RpcTest {
  private static final Executor ELSEWHERE = task -> new Thread(task, "elsewhere").start();

  /** Held strongly, or the level would be forgotten. */
  private static final List<Logger> LOGGERS = List.of(
      Logger.getLogger("io.grpc"),
      Logger.getLogger(ExceptionMapping.class.getName()),
      Logger.getLogger(ObserverFailures.class.getName()));

  @BeforeEach
  void quiet() {
    LOGGERS.forEach(each -> each.setLevel(Level.OFF));
  }

  @AfterEach
  void loud() {
    LOGGERS.forEach(each -> each.setLevel(null));
  }

  /** What is thrown. */
  enum Kind {
    UNCHECKED,
    CHECKED,
    STACK_OVERFLOW,
    CLASS_MISSING,
    OUT_OF_MEMORY,
    SPEECHLESS;

    /** Throws it. */
    RuntimeException thrown() {
      Throwable thrown = switch (this) {
        case UNCHECKED -> new IllegalStateException("as usual");
        case CHECKED -> new IOException("undeclared");
        case STACK_OVERFLOW -> new StackOverflowError("pretended");
        case CLASS_MISSING -> new NoClassDefFoundError("com/example/Missing");
        case OUT_OF_MEMORY -> new OutOfMemoryError("pretended");
        case SPEECHLESS ->
          new IllegalStateException() {
            private static final long serialVersionUID = 1;

            @Override
            public String getMessage() {
              throw new IllegalStateException("no words for it");
            }
          };
      };
      UnsentMessage.<RuntimeException>sneak(thrown);
      throw new AssertionError(thrown);
    }
  }

  /** Where it is thrown. */
  enum Place {
    SERVICE,
    METHOD,
    STAGE,
    STAGE_ELSEWHERE,
    STREAM,
    MAPPER,
    MAPPER_OF_STREAM,
    INTERCEPTED_START,
    INTERCEPTED_REQUEST,
    INTERCEPTED_END_OF_REQUESTS,
    INTERCEPTED_REPLY,
    INTERCEPTED_REPLY_ELSEWHERE,
    INTERCEPTED_CLOSE,
    INTERCEPTED_CLOSE_OF_STREAM,
    INTERCEPTED_CLOSE_ELSEWHERE,
    MARSHALLER_OF_REQUEST,
    MARSHALLER_OF_REPLY,
    MARSHALLER_OF_REPLY_ELSEWHERE,
    MARSHALLER_OF_REPLY_OF_STREAM,
    STREAM_OF_REPLY,
    ITERATOR_FIRST,
    ITERATOR_LATER;

    boolean isOf(String word) {
      return name().contains(word);
    }
  }

  static List<Arguments> placesAndKinds() {
    List<Arguments> all = new ArrayList<>();
    for (Place place : Place.values()) {
      for (Kind kind : Kind.values()) {
        // The JDK's own stages never complete with that one.
        if (place != Place.STAGE_ELSEWHERE || kind != Kind.SPEECHLESS) {
          all.add(Arguments.of(place, kind));
        }
      }
    }
    return all;
  }

  /** Messages are texts, whose marshaller throws when told so. */
  private static final class Texts implements MethodDescriptor.Marshaller<String> {
    private final Place place;
    private final Kind kind;
    private final Place ofRequests;

    Texts(Place place, Kind kind, Place ofRequests) {
      this.place = place;
      this.kind = kind;
      this.ofRequests = ofRequests;
    }

    @Override
    public InputStream stream(String value) {
      if (value.equals("reply") && place.isOf("MARSHALLER_OF_REPLY")) {
        throw kind.thrown();
      }
      if (value.equals("reply") && place == Place.STREAM_OF_REPLY) {
        return new InputStream() {
          @Override
          public int read() {
            throw kind.thrown();
          }

          @Override
          public int read(byte[] target, int offset, int length) {
            throw kind.thrown();
          }
        };
      }
      return new ByteArrayInputStream(value.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public String parse(InputStream stream) {
      if (place == ofRequests) {
        throw kind.thrown();
      }
      try {
        return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private static MethodDescriptor<String, String> method(Place place, Kind kind, Place ofRequests) {
    Texts texts = new Texts(place, kind, ofRequests);
    boolean stream =
        (place.isOf("STREAM") && place != Place.STREAM_OF_REPLY) || place.isOf("ITERATOR");
    return MethodDescriptor.newBuilder(texts, texts)
        .setFullMethodName("test.Service/Call")
        .setType(stream ? MethodType.SERVER_STREAMING : MethodType.UNARY)
        .build();
  }

  private static void serve(Place place, Kind kind, StreamObserver<String> replies) {
    switch (place) {
      case SERVICE -> throw kind.thrown();
      case METHOD ->
        RpcMethod.unary(replies, () -> {
          throw kind.thrown();
        });
      case STAGE ->
        RpcMethod.unaryAsync(replies, () -> {
          throw kind.thrown();
        });
      case STAGE_ELSEWHERE ->
        RpcMethod.unaryAsync(
            replies,
            () -> CompletableFuture.supplyAsync(
                () -> {
                  throw kind.thrown();
                },
                ELSEWHERE));
      case STREAM ->
        RpcMethod.serverStreaming(replies, writer -> {
          throw kind.thrown();
        });
      case MAPPER, MAPPER_OF_STREAM -> throw new UnsupportedOperationException("to be mapped");
      case INTERCEPTED_REPLY_ELSEWHERE,
          INTERCEPTED_CLOSE_ELSEWHERE,
          MARSHALLER_OF_REPLY_ELSEWHERE ->
        RpcMethod.unaryAsync(
            replies, () -> CompletableFuture.supplyAsync(() -> "reply", ELSEWHERE));
      case INTERCEPTED_CLOSE_OF_STREAM, MARSHALLER_OF_REPLY_OF_STREAM ->
        RpcMethod.serverStreaming(replies, writer -> writer.write("reply"));
      case ITERATOR_FIRST, ITERATOR_LATER -> {
        StreamWriter<String> writer = StreamWriter.of(replies);
        int from = place == Place.ITERATOR_FIRST ? 0 : 3;
        writer
            .writeAllAsync(throwing(kind, from))
            .whenComplete((done, error) -> writer.fail(error));
      }
      default -> RpcMethod.unary(replies, () -> "reply");
    }
  }

  private static Iterator<String> throwing(Kind kind, int from) {
    return new Iterator<>() {
      private int given;

      @Override
      public boolean hasNext() {
        return true;
      }

      @Override
      public String next() {
        if (given++ == from) {
          throw kind.thrown();
        }
        return "next";
      }
    };
  }

  private record Intercepting(Place place, Kind kind) implements ServerInterceptor {
    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      throwIf(place == Place.INTERCEPTED_START);
      ServerCall<Q, R> own = new SimpleForwardingServerCall<>(call) {
        @Override
        public void sendMessage(R message) {
          throwIf(place.isOf("INTERCEPTED_REPLY"));
          super.sendMessage(message);
        }

        @Override
        public void close(Status status, Metadata trailers) {
          throwIf(place.isOf("INTERCEPTED_CLOSE"));
          super.close(status, trailers);
        }
      };
      return new SimpleForwardingServerCallListener<>(next.startCall(own, headers)) {
        @Override
        public void onMessage(Q message) {
          throwIf(place == Place.INTERCEPTED_REQUEST);
          super.onMessage(message);
        }

        @Override
        public void onHalfClose() {
          throwIf(place == Place.INTERCEPTED_END_OF_REQUESTS);
          super.onHalfClose();
        }
      };
    }

    private void throwIf(boolean here) {
      if (here) {
        throw kind.thrown();
      }
    }
  }

  @ParameterizedTest
  @MethodSource("placesAndKinds")
  void callEndsOnceWithAStatus(Place place, Kind kind) throws Exception {
    List<CallRecord> ended = new CopyOnWriteArrayList<>();
    MethodDescriptor<String, String> ofServer = method(place, kind, Place.MARSHALLER_OF_REQUEST);
    RpcServerBuilder builder = RpcServer.builder()
        .accessLog(ended::add)
        .intercept(new Intercepting(place, kind))
        .addService(ServerServiceDefinition.builder("test.Service")
            .addMethod(
                ofServer,
                ofServer.getType() == MethodType.UNARY
                    ? ServerCalls.asyncUnaryCall((String request, StreamObserver<String> replies) ->
                        serve(place, kind, replies))
                    : ServerCalls.asyncServerStreamingCall(
                        (String request, StreamObserver<String> replies) ->
                            serve(place, kind, replies)))
            .build());
    if (place.isOf("MAPPER")) {
      builder.mapException(UnsupportedOperationException.class, thrown -> {
        throw kind.thrown();
      });
    }
    RpcServer server = start(builder);
    RpcChannel channel =
        closing(RpcChannel.builder().address("127.0.0.1", server.port()).build());

    Status status = failure(() -> {
      Iterator<String> replies = ClientCalls.blockingServerStreamingCall(
          channel, method(Place.SERVICE, kind, Place.MAPPER), CallOptions.DEFAULT, "request");
      replies.forEachRemaining(each -> assertThat(each).isIn("next", "reply"));
    });

    assertThat(status.getCode()).isNotIn(Status.Code.OK, Status.Code.DEADLINE_EXCEEDED);
    Await.until("the call has ended", () -> ended.size() == 1);
    Await.until("no call is left", () -> server.counters().callsOpen() == 0);
    assertThat(ended.get(0).status().getCode()).isEqualTo(status.getCode());
    assertThat(server.counters().callsFailed()).isEqualTo(1);
  }

  @ParameterizedTest
  @EnumSource
  void observersChangeNoCall(Kind kind) throws Exception {
    SimpleMeterRegistry broken = new SimpleMeterRegistry() {
      @Override
      protected Timer newTimer(
          Meter.Id id, DistributionStatisticConfig config, PauseDetector pauses) {
        throw kind.thrown();
      }

      @Override
      protected DistributionSummary newDistributionSummary(
          Meter.Id id, DistributionStatisticConfig config, double scale) {
        throw kind.thrown();
      }
    };
    MicrometerObserver observer = MicrometerObserver.of(broken);
    RpcServer server = start(RpcServer.builder()
        .observe(observer)
        .accessLog(call -> {
          throw kind.thrown();
        })
        .addService(TestService.unary(ThrownByUsersTest::reply)));
    RpcChannel channel = closing(RpcChannel.builder()
        .address("127.0.0.1", server.port())
        .observe(observer)
        .build());

    for (int i = 0; i < 3; i++) {
      assertThat(call(channel)).isEqualTo(HelloReply.getDefaultInstance());
    }

    // Of each call a request, a reply, its end, and the line of the log.
    Await.until("all is counted", () -> server.counters().observersFailed() == 12);
    assertThat(server.counters().callsSucceeded()).isEqualTo(3);
    assertThat(server.counters().callsOpen()).isZero();
    assertThat(observer.failures()).isEqualTo(9);
  }

  /** Clients end as many calls as they like; gRPC has a line with a stack trace for each. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whatEndsOfCallsThrowIsLoggedAtABoundedRate(boolean direct) throws Exception {
    loud();
    List<LogRecord> lines = new CopyOnWriteArrayList<>();
    Handler counting = new Handler() {
      @Override
      public void publish(LogRecord line) {
        lines.add(line);
      }

      @Override
      public void flush() {}

      @Override
      public void close() {}
    };
    Logger root = Logger.getLogger("");
    root.addHandler(counting);
    closing(() -> root.removeHandler(counting));
    AtomicInteger ends = new AtomicInteger();
    RpcServerBuilder builder = RpcServer.builder()
        .intercept(new ServerInterceptor() {
          @Override
          public <Q, R> ServerCall.Listener<Q> interceptCall(
              ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
            return new SimpleForwardingServerCallListener<>(next.startCall(call, headers)) {
              @Override
              public void onComplete() {
                ends.incrementAndGet();
                throw new LinkageError("at the end");
              }
            };
          }
        })
        .addService(TestService.unary(ThrownByUsersTest::reply));
    RpcServer server = start(direct ? builder.directExecutor() : builder);
    RpcChannel channel =
        closing(RpcChannel.builder().address("127.0.0.1", server.port()).build());

    for (int i = 0; i < 100; i++) {
      assertThat(call(channel)).isEqualTo(HelloReply.getDefaultInstance());
    }

    Await.until("the calls have ended", () -> ends.get() == 100);
    Await.until("no call is left", () -> server.counters().callsOpen() == 0);
    assertThat(lines.stream()
            .filter(each -> each.getThrown() instanceof LinkageError)
            .toList())
        .hasSizeLessThan(50);
  }

  private static void reply(HelloRequest request, StreamObserver<HelloReply> replies) {
    replies.onNext(HelloReply.getDefaultInstance());
    replies.onCompleted();
  }
}
