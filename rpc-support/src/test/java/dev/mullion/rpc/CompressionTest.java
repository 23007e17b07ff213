package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.Codec;
import io.grpc.CompressorRegistry;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;

class CompressionTest extends RpcTest {
  private final List<CallRecord> calls = new CopyOnWriteArrayList<>();

  /** Answers with as many bytes as came. */
  private RpcServerBuilder server() {
    return RpcServer.builder()
        .accessLog(calls::add)
        .addService(TestService.unary((request, replies) -> {
          replies.onNext(TestService.reply(request.getSerializedSize()));
          replies.onCompleted();
        }));
  }

  private CallRecord onlyCall(RpcChannelBuilder channel) throws Exception {
    assertThat(call(closing(channel.build()), TestService.UNARY, TestService.request(50_000)))
        .isEqualTo(TestService.reply(50_000));
    Await.until("it is logged", () -> calls.size() == 1);
    return calls.get(0);
  }

  private static RpcChannelBuilder to(RpcServer server) {
    return RpcChannel.builder().address("127.0.0.1", server.port());
  }

  @Test
  void nothingIsCompressedByDefault() throws Exception {
    CallRecord call = onlyCall(to(start(server())));

    assertThat(call.bytesReceived()).isGreaterThanOrEqualTo(50_000);
    assertThat(call.bytesSent()).isGreaterThanOrEqualTo(50_000);
  }

  @Test
  void channelCompressesRequests() throws Exception {
    CallRecord call = onlyCall(to(start(server())).compression("gzip"));

    assertThat(call.bytesReceived()).isBetween(20L, 1000L);
    assertThat(call.bytesSent()).isGreaterThanOrEqualTo(50_000);
  }

  @Test
  void serverCompressesReplies() throws Exception {
    CallRecord call = onlyCall(to(start(server().compression("gzip"))));

    assertThat(call.bytesReceived()).isGreaterThanOrEqualTo(50_000);
    assertThat(call.bytesSent()).isBetween(20L, 1000L);
  }

  @Test
  void compressionThatTheServerDoesNotKnowEndsTheCall() throws Exception {
    CompressorRegistry odd = CompressorRegistry.newEmptyInstance();
    odd.register(new Bomb("odd", new byte[1]));
    ManagedChannel channel =
        channel(NettyChannelBuilder.forAddress("127.0.0.1", start(server()).port())
            .compressorRegistry(odd));

    assertThat(text(failure(() -> ClientCalls.blockingUnaryCall(
            channel, TestService.UNARY, CallOptions.DEFAULT.withCompression("odd"), REQUEST))))
        .isEqualTo("UNIMPLEMENTED: Can't find decompressor for odd");
  }

  @Test
  void unknownCompressionIsRefused() {
    String message =
        "compression: snappy (expected: gzip, identity, or another one in " + "CompressorRegistry)";
    assertThatIllegalStateException()
        .isThrownBy(RpcChannel.builder().target("a:1").compression("snappy")::build)
        .withMessage(message);
    assertThatIllegalStateException()
        .isThrownBy(server().compression("snappy")::start)
        .withMessage(message);
  }

  /** A gibibyte in a mebibyte; the server has not even a tenth of that as memory. */
  @Test
  void messageThatGrowsBeyondItsLimitIsNotHeld() throws Exception {
    Process server =
        ClassPath.java(any -> true, Bombed.class, "-Xmx32m", "-XX:+ExitOnOutOfMemoryError");
    closing(server::destroyForcibly);
    int port = Integer.parseInt(server.inputReader(UTF_8).readLine());
    CompressorRegistry bombs = CompressorRegistry.newEmptyInstance();
    bombs.register(new Bomb("gzip", gibibyte()));
    ManagedChannel channel =
        channel(NettyChannelBuilder.forAddress("127.0.0.1", port).compressorRegistry(bombs));
    CallOptions gzip = CallOptions.DEFAULT.withCompression("gzip");

    for (int i = 0; i < 10; i++) {
      assertThat(text(failure(
              () -> ClientCalls.blockingUnaryCall(channel, TestService.UNARY, gzip, REQUEST))))
          .isEqualTo("RESOURCE_EXHAUSTED: inbound message of more than 4194304 bytes exceeds "
              + "maxInboundMessageSize 4194304");
    }
    assertThat(failure(() -> call(channel))).isEqualTo(Status.OK);
    assertThat(server.isAlive()).isTrue();
  }

  /** Runs in a JVM of its own. */
  public static final class Bombed {
    private Bombed() {}

    /** Prints its port. */
    public static void main(String[] args) throws Exception {
      RpcServer server =
          RpcServer.builder().addService(TestService.unary(Bombed::empty)).start();
      System.out.println(server.port());
      server.awaitTermination();
    }

    private static void empty(HelloRequest request, StreamObserver<HelloReply> replies) {
      replies.onNext(HelloReply.getDefaultInstance());
      replies.onCompleted();
    }
  }

  /** The beginning of a name of a gibibyte, and zeros: gzip may have several parts. */
  private static byte[] gibibyte() throws IOException {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    all.write(gzip(HexFormat.of().parseHex("0a8080808004")));
    byte[] mebibyte = gzip(new byte[1 << 20]);
    for (int i = 0; i < 1024; i++) {
      all.write(mebibyte);
    }
    assertThat(all.size()).isLessThan(2 << 20);
    return all.toByteArray();
  }

  private static byte[] gzip(byte[] bytes) throws IOException {
    ByteArrayOutputStream compressed = new ByteArrayOutputStream();
    try (OutputStream gzip = new GZIPOutputStream(compressed)) {
      gzip.write(bytes);
    }
    return compressed.toByteArray();
  }

  /** Sends these bytes in place of any message. */
  private static final class Bomb implements Codec {
    private final String name;
    private final byte[] bytes;

    Bomb(String name, byte[] bytes) {
      this.name = name;
      this.bytes = bytes;
    }

    @Override
    public String getMessageEncoding() {
      return name;
    }

    @Override
    public InputStream decompress(InputStream compressed) {
      return compressed;
    }

    @Override
    public OutputStream compress(OutputStream out) {
      return new FilterOutputStream(out) {
        @Override
        public void write(int ignored) {}

        @Override
        public void close() throws IOException {
          out.write(bytes);
          super.close();
        }
      };
    }
  }
}
