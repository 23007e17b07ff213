package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.Drainable;
import io.grpc.KnownLength;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.SequenceInputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What arrives at each attempt of a call, byte for byte. Messages that were streams arrived empty,
 * since they had been read already: to be measured, at an earlier attempt, or before their service
 * was called.
 */
class WholeMessagesTest extends RpcTest {
  private static final String SERVICE = "test.Bytes";
  private static final MethodDescriptor<InputStream, InputStream> COLLECT =
      method("Collect", MethodDescriptor.MethodType.CLIENT_STREAMING);
  private static final MethodDescriptor<InputStream, InputStream> ECHO =
      method("Echo", MethodDescriptor.MethodType.UNARY);

  private static final List<byte[]> MESSAGES = List.of(bytes(1), bytes(0), bytes(70_000));

  /** What was read of each attempt that came to its end. */
  private final List<List<byte[]>> attempts = new CopyOnWriteArrayList<>();

  /** Takes messages as they are in both directions. */
  private static MethodDescriptor<InputStream, InputStream> method(
      String name, MethodDescriptor.MethodType type) {
    return MethodDescriptor.newBuilder(MessageLimits.AS_STREAMS, MessageLimits.AS_STREAMS)
        .setFullMethodName(SERVICE + "/" + name)
        .setType(type)
        .build();
  }

  private static byte[] bytes(int length) {
    byte[] bytes = new byte[length];
    for (int i = 0; i < length; i++) {
      bytes[i] = (byte) (i * 31 + 7);
    }
    return bytes;
  }

  /** The streams that marshallers make of messages. All but the first can be read only once. */
  enum Kind {
    IN_MEMORY {
      @Override
      InputStream of(InputStream all) {
        return all;
      }
    },
    UNKNOWN_LENGTH {
      @Override
      InputStream of(InputStream all) {
        return new SequenceInputStream(all, InputStream.nullInputStream());
      }
    },
    BYTE_BY_BYTE {
      @Override
      InputStream of(InputStream all) {
        return new FilterInputStream(all) {
          @Override
          public int available() {
            return 0;
          }

          @Override
          public int read(byte[] target, int offset, int length) throws IOException {
            return super.read(target, offset, Math.min(1, length));
          }

          @Override
          public long skip(long count) {
            return 0;
          }
        };
      }
    },
    KNOWN_LENGTH {
      @Override
      InputStream of(InputStream all) {
        return new Known(all);
      }
    },
    DRAINED {
      @Override
      InputStream of(InputStream all) {
        return new Drained(all);
      }
    };

    abstract InputStream of(InputStream all);
  }

  private static class Known extends FilterInputStream implements KnownLength {
    Known(InputStream all) {
      super(all);
    }
  }

  private static final class Drained extends Known implements Drainable {
    Drained(InputStream all) {
      super(all);
    }

    @Override
    public int drainTo(OutputStream target) throws IOException {
      return (int) transferTo(target);
    }
  }

  /** How a call is made, and how many attempts there are. */
  enum Way {
    AT_ONCE(1),
    COMPRESSED(1),
    RETRIED(3),
    HEDGED(3);

    private final int attempts;

    Way(int attempts) {
      this.attempts = attempts;
    }

    void set(RpcChannelBuilder builder) {
      switch (this) {
        case AT_ONCE -> {}
        case COMPRESSED -> builder.compression("gzip");
        case RETRIED ->
          builder.retryPolicy(
              RetryPolicy.builder().initialBackoff(Duration.ofMillis(1)).build());
        case HEDGED ->
          builder.hedgingPolicy(HedgingPolicy.builder()
              .maxAttempts(3)
              .hedgingDelay(Duration.ofMillis(1))
              .build());
      }
    }
  }

  /** Fails all attempts but the last one, when all of their messages are there. */
  private ServerServiceDefinition collecting(int last) {
    AtomicInteger ended = new AtomicInteger();
    return ServerServiceDefinition.builder(SERVICE)
        .addMethod(
            COLLECT,
            ServerCalls.asyncClientStreamingCall((StreamObserver<InputStream> replies) ->
                new StreamObserver<InputStream>() {
                  private final List<InputStream> requests = new ArrayList<>();

                  @Override
                  public void onNext(InputStream request) {
                    requests.add(request);
                  }

                  @Override
                  public void onError(Throwable cancelled) {}

                  @Override
                  public void onCompleted() {
                    attempts.add(requests.stream().map(WholeMessagesTest::read).toList());
                    if (ended.incrementAndGet() < last) {
                      replies.onError(Status.UNAVAILABLE.asRuntimeException());
                      return;
                    }
                    replies.onNext(new SequenceInputStream(Collections.enumeration(
                        MESSAGES.stream().map(ByteArrayInputStream::new).toList())));
                    replies.onCompleted();
                  }
                }))
        .build();
  }

  private static byte[] read(InputStream stream) {
    try {
      return stream.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static List<Arguments> kindsAndWays() {
    List<Arguments> all = new ArrayList<>();
    for (Kind kind : Kind.values()) {
      for (Way way : Way.values()) {
        for (boolean inProcess : new boolean[] {false, true}) {
          all.add(Arguments.of(kind, way, inProcess));
        }
      }
    }
    return all;
  }

  @ParameterizedTest
  @MethodSource("kindsAndWays")
  void eachAttemptCarriesAllBytes(Kind kind, Way way, boolean inProcess) throws Exception {
    RpcServerBuilder server = RpcServer.builder().addService(collecting(way.attempts));
    RpcChannelBuilder channel = RpcChannel.builder();
    if (inProcess) {
      String name = "whole-messages-" + kind + "-" + way;
      serving(server.inProcessName(name).start());
      channel.inProcessName(name);
    } else {
      channel.address("127.0.0.1", start(server).port());
    }
    way.set(channel);
    CompletableFuture<byte[]> reply = new CompletableFuture<>();

    StreamObserver<InputStream> requests = ClientCalls.asyncClientStreamingCall(
        closing(channel.build()).newCall(COLLECT, CallOptions.DEFAULT), into(reply));
    MESSAGES.forEach(each -> requests.onNext(kind.of(new ByteArrayInputStream(each))));
    requests.onCompleted();

    assertThat(reply.get(30, TimeUnit.SECONDS)).isEqualTo(joined());
    assertThat(attempts).isNotEmpty().allSatisfy(attempt -> {
      assertThat(attempt).hasSameSizeAs(MESSAGES);
      for (int i = 0; i < attempt.size(); i++) {
        assertThat(attempt.get(i)).isEqualTo(MESSAGES.get(i));
      }
    });
    if (way != Way.HEDGED) {
      assertThat(attempts).hasSize(way.attempts);
    }
  }

  private static byte[] joined() {
    return read(new SequenceInputStream(
        Collections.enumeration(MESSAGES.stream().map(ByteArrayInputStream::new).toList())));
  }

  /** Reads a reply after the call. */
  private static StreamObserver<InputStream> into(CompletableFuture<byte[]> result) {
    return new StreamObserver<>() {
      private InputStream reply = InputStream.nullInputStream();

      @Override
      public void onNext(InputStream message) {
        reply = message;
      }

      @Override
      public void onError(Throwable error) {
        result.completeExceptionally(error);
      }

      @Override
      public void onCompleted() {
        result.complete(read(reply));
      }
    };
  }

  private RpcServer echo(RpcServerBuilder builder, Kind kind) throws Exception {
    return start(builder.addService(ServerServiceDefinition.builder(SERVICE)
        .addMethod(ECHO, ServerCalls.asyncUnaryCall((request, reply) -> {
          reply.onNext(kind.of(new ByteArrayInputStream(read(request))));
          reply.onCompleted();
        }))
        .build()));
  }

  private static byte[] echo(RpcChannel channel, InputStream request) {
    return read(ClientCalls.blockingUnaryCall(channel, ECHO, CallOptions.DEFAULT, request));
  }

  @ParameterizedTest
  @EnumSource
  void proxyPassesOnWhatItIsGiven(Kind kind) throws Exception {
    RpcServer last = echo(RpcServer.builder(), kind);
    RpcChannel toLast =
        closing(RpcChannel.builder().address("127.0.0.1", last.port()).build());
    RpcServer proxy = start(RpcServer.builder()
        .addService(ServerServiceDefinition.builder(SERVICE)
            .addMethod(
                ECHO,
                ServerCalls.asyncUnaryCall((request, reply) -> ClientCalls.asyncUnaryCall(
                    toLast.newCall(ECHO, CallOptions.DEFAULT), request, reply)))
            .build()));
    RpcChannel channel =
        closing(RpcChannel.builder().address("127.0.0.1", proxy.port()).build());

    for (byte[] message : MESSAGES) {
      assertThat(echo(channel, kind.of(new ByteArrayInputStream(message)))).isEqualTo(message);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "IN_MEMORY, true", "UNKNOWN_LENGTH, true", "BYTE_BY_BYTE, true", "KNOWN_LENGTH, true",
    "DRAINED, true", "IN_MEMORY, false", "UNKNOWN_LENGTH, false", "BYTE_BY_BYTE, false",
    "KNOWN_LENGTH, false", "DRAINED, false"
  })
  void limitHoldsForStreamsToo(Kind kind, boolean ofChannel) throws Exception {
    RpcServerBuilder server = RpcServer.builder();
    RpcChannelBuilder builder = RpcChannel.builder();
    if (ofChannel) {
      builder.maxOutboundMessageSize(1000);
    } else {
      server.maxOutboundMessageSize(1000);
    }
    RpcChannel channel =
        closing(builder.address("127.0.0.1", echo(server, kind).port()).build());

    assertThat(echo(channel, kind.of(new ByteArrayInputStream(bytes(1000))))).hasSize(1000);
    assertThat(text(failure(() -> echo(channel, kind.of(new ByteArrayInputStream(bytes(1001)))))))
        .startsWith("RESOURCE_EXHAUSTED: outbound message of ")
        .endsWith(" bytes exceeds maxOutboundMessageSize 1000");
    assertThat(echo(channel, kind.of(new ByteArrayInputStream(bytes(1000))))).hasSize(1000);
  }

  @Test
  void streamThatCannotBeReadEndsItsCallWithTheReason() throws Exception {
    RpcServer server = echo(RpcServer.builder(), Kind.IN_MEMORY);
    RpcChannel channel =
        closing(RpcChannel.builder().address("127.0.0.1", server.port()).build());
    InputStream broken = new FilterInputStream(InputStream.nullInputStream()) {
      @Override
      public int read() throws IOException {
        throw new IOException("disk on fire");
      }

      @Override
      public int read(byte[] target, int offset, int length) throws IOException {
        return read();
      }
    };

    assertThat(text(failure(() -> echo(channel, broken))))
        .isEqualTo("INTERNAL: request cannot be sent: java.io.IOException: disk on fire");
  }

  /** A peer that has done nothing says so, and gRPC tries again by itself. */
  @ParameterizedTest
  @EnumSource
  void attemptThatThePeerRefusedIsRepeatedWithTheSameBytes(Kind kind) throws Exception {
    byte[] message = bytes(500);
    List<byte[]> came = new ArrayList<>();
    try (ServerSocket listening = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      RpcChannel channel = closing(
          RpcChannel.builder().address("127.0.0.1", listening.getLocalPort()).build());
      CompletableFuture<byte[]> reply = new CompletableFuture<>();
      ClientCalls.asyncUnaryCall(
          channel.newCall(ECHO, CallOptions.DEFAULT),
          kind.of(new ByteArrayInputStream(message)),
          into(reply));
      try (Http2Frames peer = new Http2Frames(listening.accept())) {
        peer.readPreface();
        peer.send(Http2Frames.SETTINGS, 0, 0);
        came.add(message(peer));
        // Netty's first stream of a client is 3.
        peer.send(Http2Frames.RST_STREAM, 0, 3, new byte[] {0, 0, 0, 7});
        came.add(message(peer));
        peer.send(Http2Frames.RST_STREAM, 0, 5, new byte[] {0, 0, 0, 8});
        assertThat(reply).failsWithin(Duration.ofSeconds(30));
      }
    }

    for (byte[] each : came) {
      assertThat(Arrays.copyOfRange(each, 5, each.length)).isEqualTo(message);
    }
  }

  /** Behind it the end of the stream may come as a frame of its own, without data. */
  private static byte[] message(Http2Frames peer) throws IOException {
    byte[] data = peer.read(Http2Frames.DATA);
    return data.length > 0 ? data : peer.read(Http2Frames.DATA);
  }

  /** In the same process a message is not turned into bytes at all. */
  @Test
  void limitsHoldInTheSameProcess() throws Exception {
    serving(RpcServer.builder()
        .inProcessName("limits-of-whole-messages")
        .addService(TestService.unary((request, replies) -> {
          replies.onNext(TestService.reply(Integer.parseInt(request.getName())));
          replies.onCompleted();
        }))
        .start());
    RpcChannel channel = closing(RpcChannel.builder()
        .inProcessName("limits-of-whole-messages")
        .maxInboundMessageSize(1000)
        .build());

    assertThat(call(channel, TestService.UNARY, named("1000"))).isEqualTo(TestService.reply(1000));
    assertThat(text(failure(() -> call(channel, TestService.UNARY, named("1001")))))
        .isEqualTo("RESOURCE_EXHAUSTED: inbound message of 1001 bytes exceeds "
            + "maxInboundMessageSize 1000");
  }

  private static HelloRequest named(String name) {
    return HelloRequest.newBuilder().setName(name).build();
  }
}
