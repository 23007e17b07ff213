package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.framing.testing.Threads;
import dev.mullion.net.Tls;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.Metadata;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** gRPC servers, and the clients that call them. */
final class SoakRpc implements AutoCloseable {
  private static final Duration TIMEOUT = Duration.ofSeconds(3);
  private static final int PATIENCE_SECONDS = 60;
  private static final int FINISHED_HEADERS = 4;
  private static final Metadata.Key<String> FILLER =
      Metadata.Key.of("filler", Metadata.ASCII_STRING_MARSHALLER);

  private final RpcServer plain;
  private final RpcServer secure;
  private final RpcServer unix;
  private final Path path;
  private final Tls clientTls;

  SoakRpc(Path directory, Certificates certificates) throws IOException {
    path = directory.resolve("rpc.sock");
    clientTls = certificates.client();
    plain = limited().start();
    secure = limited().tls(certificates.server()).start();
    unix = limited().path(path).start();
  }

  private static RpcServerBuilder limited() {
    return RpcServer.builder()
        .addService(service())
        .maxConnections(200)
        .maxCalls(400)
        .maxCallsPerConnection(100)
        .maxHandlerThreads(64)
        .maxInboundMessageSize(64 * 1024)
        .handshakeTimeout(Duration.ofSeconds(2))
        .defaultTimeout(TIMEOUT)
        .timeout("test.Service/Stream", TIMEOUT)
        .timeout("test.Service/Bidi", Duration.ofSeconds(PATIENCE_SECONDS))
        .closeTimeout(Duration.ofSeconds(5));
  }

  private static ServerServiceDefinition service() {
    return ServerServiceDefinition.builder("test.Service")
        .addMethod(TestService.UNARY, ServerCalls.asyncUnaryCall(SoakRpc::unary))
        .addMethod(TestService.STREAM, ServerCalls.asyncServerStreamingCall(SoakRpc::stream))
        .addMethod(TestService.BIDI, ServerCalls.asyncBidiStreamingCall(SoakRpc::bidi))
        .build();
  }

  private static void unary(HelloRequest request, StreamObserver<HelloReply> observer) {
    RpcMethod.unary(observer, () -> {
      switch (request.getName()) {
        case "slow" -> LockSupport.parkNanos(50_000_000);
        case "fails" -> throw new IllegalStateException("as it was asked to");
        case "fails at length" -> throw failure();
        default -> {}
      }
      return reply(request);
    });
  }

  private static HelloReply reply(HelloRequest request) {
    return HelloReply.newBuilder().setMessage(request.getName()).build();
  }

  private static StatusRuntimeException failure() {
    Metadata trailers = new Metadata();
    trailers.put(FILLER, "x".repeat(20_000));
    return Status.FAILED_PRECONDITION.withDescription("at length").asRuntimeException(trailers);
  }

  private static void stream(HelloRequest request, StreamObserver<HelloReply> observer) {
    String[] sizes = request.getName().split(" ", -1);
    RpcMethod.serverStreaming(observer, replies -> {
      for (int i = 0; i < Integer.parseInt(sizes[0]); i++) {
        replies.write(TestService.reply(Integer.parseInt(sizes[1])));
      }
    });
  }

  private static StreamObserver<HelloRequest> bidi(StreamObserver<HelloReply> observer) {
    return RpcMethod.bidiStreaming(observer, (requests, replies) -> {
      for (HelloRequest request : requests) {
        replies.write(reply(request));
      }
    });
  }

  void clients(SoakRun run) {
    run.add("rpc.unary", 4, this::unaryCalls);
    run.add("rpc.deadlines", 2, this::deadlines);
    run.add("rpc.cancelled", 2, this::cancelled);
    run.add("rpc.streams", 3, this::streams);
    run.add("rpc.bidi", 3, this::bidiCalls);
    run.add("rpc.errors", 2, this::errors);
    run.add("rpc.malformed", 4, this::malformed);
    run.add("rpc.unread", 1, this::unread);
    run.add("rpc.floods", 2, this::floods);
    run.add("rpc.garbage", 3, this::garbage);
    run.add("rpc.silent", 1, this::silent);
  }

  private RpcChannel channel(Random random) {
    RpcChannelBuilder builder =
        RpcChannel.builder().defaultTimeout(Duration.ofSeconds(PATIENCE_SECONDS));
    return switch (random.nextInt(3)) {
      case 0 -> builder.address("127.0.0.1", plain.port()).build();
      case 1 -> builder.address("127.0.0.1", secure.port()).tls(clientTls).build();
      default -> builder.path(path).build();
    };
  }

  private static Future<HelloReply> call(RpcChannel channel, String name, CallOptions options) {
    return ClientCalls.futureUnaryCall(
        channel.newCall(TestService.UNARY, options),
        HelloRequest.newBuilder().setName(name).build());
  }

  private void unaryCalls(Random random) throws Exception {
    try (RpcChannel channel = channel(random)) {
      List<Future<HelloReply>> replies = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        replies.add(call(channel, text(i, random.nextInt(10_000)), CallOptions.DEFAULT));
      }
      for (int i = 0; i < replies.size(); i++) {
        expect(replies.get(i), i);
      }
    }
  }

  private static String text(int number, int length) {
    return number + " " + "t".repeat(length);
  }

  private static void expect(Future<HelloReply> reply, int number) throws Exception {
    assertThat(reply.get(PATIENCE_SECONDS, TimeUnit.SECONDS).getMessage()).startsWith(number + " ");
  }

  private static Status.Code codeOf(Future<HelloReply> reply) throws Exception {
    try {
      assertThat(reply.get(PATIENCE_SECONDS, TimeUnit.SECONDS)).isNotNull();
      return Status.Code.OK;
    } catch (ExecutionException e) {
      return Status.fromThrowable(e).getCode();
    }
  }

  private void deadlines(Random random) throws Exception {
    try (RpcChannel channel = channel(random)) {
      List<Future<HelloReply>> replies = new ArrayList<>();
      for (int i = 0; i < 10; i++) {
        CallOptions hasty =
            CallOptions.DEFAULT.withDeadlineAfter(1 + random.nextInt(60), TimeUnit.MILLISECONDS);
        replies.add(call(channel, "slow", hasty));
      }
      for (Future<HelloReply> reply : replies) {
        assertThat(codeOf(reply)).isIn(Status.Code.OK, Status.Code.DEADLINE_EXCEEDED);
      }
      expect(call(channel, text(1, 1), CallOptions.DEFAULT), 1);
    }
  }

  private void cancelled(Random random) throws Exception {
    try (RpcChannel channel = channel(random)) {
      for (int i = 0; i < 20; i++) {
        Future<HelloReply> reply = call(channel, "slow", CallOptions.DEFAULT);
        if (random.nextBoolean()) {
          LockSupport.parkNanos(random.nextInt(2_000_000));
        }
        reply.cancel(true);
        assertThat(reply.isDone()).isTrue();
      }
      expect(call(channel, text(1, 1), CallOptions.DEFAULT), 1);
    }
  }

  private void streams(Random random) throws Exception {
    try (RpcChannel channel = channel(random)) {
      int number = 1 + random.nextInt(100);
      Iterator<HelloReply> replies = ClientCalls.blockingServerStreamingCall(
          channel,
          TestService.STREAM,
          CallOptions.DEFAULT,
          HelloRequest.newBuilder().setName(number + " 5000").build());
      for (int i = 0; i < number; i++) {
        assertThat(replies.next().getSerializedSize()).isEqualTo(5000);
      }
      assertThat(replies.hasNext()).isFalse();
    }
  }

  private void bidiCalls(Random random) throws Exception {
    int number = 1 + random.nextInt(200);
    boolean cut = random.nextInt(4) == 0;
    try (RpcChannel channel = channel(random);
        ClientStream<HelloRequest, HelloReply> stream =
            ClientStream.open(replies -> ClientCalls.asyncBidiStreamingCall(
                channel.newCall(TestService.BIDI, CallOptions.DEFAULT), replies))) {
      Future<Void> writes = Threads.run(() -> {
        for (int i = 0; i < number; i++) {
          stream
              .requests()
              .write(HelloRequest.newBuilder().setName(text(i, 500)).build());
        }
        stream.requests().complete();
      });
      int seen = 0;
      for (HelloReply reply : stream.replies()) {
        assertThat(reply.getMessage()).startsWith(seen++ + " ");
        if (cut && seen > number / 2) {
          return; // Cancelled by its end.
        }
      }
      assertThat(seen).isEqualTo(number);
      writes.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }
  }

  /** An error harms no other call of its connection. */
  private void errors(Random random) throws Exception {
    try (RpcChannel channel = channel(random)) {
      for (int i = 0; i < 5; i++) {
        Future<HelloReply> beside = call(channel, "slow", CallOptions.DEFAULT);
        boolean atLength = random.nextBoolean();
        Future<HelloReply> failing =
            call(channel, atLength ? "fails at length" : "fails", CallOptions.DEFAULT);
        assertThat(codeOf(failing))
            .isEqualTo(atLength ? Status.Code.FAILED_PRECONDITION : Status.Code.INTERNAL);
        assertThat(codeOf(beside)).isEqualTo(Status.Code.OK);
      }
    }
  }

  private static Socket connect(RpcServer server) throws IOException {
    Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.port());
    socket.setSoTimeout(PATIENCE_SECONDS * 1000);
    return socket;
  }

  private Http2Frames speak() throws IOException {
    Http2Frames http = new Http2Frames(connect(plain));
    http.sendPreface();
    http.send(Http2Frames.SETTINGS, 0, 0);
    return http;
  }

  private static byte[] headers(String path, String... more) throws IOException {
    ByteArrayOutputStream block = new ByteArrayOutputStream();
    block.write(0x83); // :method: POST
    block.write(0x86); // :scheme: http
    block.write(0x04);
    literal(block, path);
    block.write(0x01);
    literal(block, "localhost");
    String[] all = {"te", "trailers", "content-type", "application/grpc"};
    for (String[] pairs : List.of(all, more)) {
      for (int i = 0; i < pairs.length; i += 2) {
        block.write(0x00);
        literal(block, pairs[i]);
        literal(block, pairs[i + 1]);
      }
    }
    return block.toByteArray();
  }

  private static void literal(ByteArrayOutputStream to, String text) throws IOException {
    to.write(text.length());
    to.write(text.getBytes(US_ASCII));
  }

  /** Calls that cannot be taken, of all kinds; none keeps its place. */
  private void malformed(Random random) throws Exception {
    String[][] wrongs = {
      {"grpc-timeout", "abc"},
      {"grpc-timeout", "1"},
      {"grpc-timeout", "123456789S"},
      {"grpc-encoding", "unheard-of"},
      {"content-type", "text/html"},
      {"connection", "close"},
      {"grpc-status", "0"}
    };
    try (Http2Frames http = speak()) {
      SoakRun.attack(() -> {
        for (int stream = 1; stream < 81; stream += 2) {
          String path = random.nextInt(5) == 0 ? "nowhere" : "/test.Service/Unary";
          String[] wrong = wrongs[random.nextInt(wrongs.length)];
          http.send(
              Http2Frames.HEADERS,
              FINISHED_HEADERS + random.nextInt(2),
              stream,
              headers(path, wrong));
        }
        LockSupport.parkNanos(random.nextInt(50_000_000));
      });
    }
  }

  /** Takes none of its replies: the call ends all the same, also on the wire. */
  private void unread(Random random) throws Exception {
    try (Http2Frames http = new Http2Frames(connect(plain))) {
      http.sendPreface();
      // SETTINGS_INITIAL_WINDOW_SIZE: no byte
      http.send(
          Http2Frames.SETTINGS, 0, 0, (byte) 0, (byte) 4, (byte) 0, (byte) 0, (byte) 0, (byte) 0);
      HelloRequest request = HelloRequest.newBuilder().setName("50 20000").build();
      for (int stream = 1; stream < 1 + 2 * (1 + random.nextInt(5)); stream += 2) {
        http.send(Http2Frames.HEADERS, FINISHED_HEADERS, stream, headers("/test.Service/Stream"));
        http.send(Http2Frames.DATA, 1, stream, message(request.toByteArray()));
      }
      assertThat(http.read(Http2Frames.RST_STREAM)).hasSize(4);
    }
  }

  private static byte[] message(byte[] bytes) throws IOException {
    ByteArrayOutputStream message = new ByteArrayOutputStream();
    message.write(new byte[] {0, 0, 0, 0, (byte) bytes.length});
    message.write(bytes);
    return message.toByteArray();
  }

  private void floods(Random random) throws Exception {
    try (Http2Frames http = speak()) {
      SoakRun.attack(() -> {
        boolean resets = random.nextBoolean();
        for (int i = 0; i < 500; i++) {
          int stream = 1 + 2 * i;
          if (resets) {
            http.send(
                Http2Frames.HEADERS, FINISHED_HEADERS, stream, headers("/test.Service/Unary"));
            http.send(Http2Frames.RST_STREAM, 0, stream, (byte) 0, (byte) 0, (byte) 0, (byte) 8);
          } else {
            http.send(Http2Frames.SETTINGS, 0, 0);
          }
        }
      });
    }
  }

  private void garbage(Random random) throws Exception {
    byte[] bytes = new byte[random.nextInt(2_000)];
    random.nextBytes(bytes);
    RpcServer server = random.nextBoolean() ? plain : secure;
    boolean http1 = random.nextBoolean();
    try (Socket socket = connect(server)) {
      SoakRun.attack(() -> {
        socket
            .getOutputStream()
            .write(http1 ? "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".getBytes(US_ASCII) : bytes);
        if (random.nextBoolean()) {
          socket.shutdownOutput();
        }
        drain(socket);
      });
    }
  }

  /** Is cut before it has said anything. */
  private void silent(Random random) throws Exception {
    try (Socket socket = connect(random.nextBoolean() ? plain : secure)) {
      SoakRun.attack(() -> drain(socket));
    }
  }

  private static void drain(Socket socket) throws IOException {
    while (socket.getInputStream().read(new byte[4096]) >= 0) {
      LockSupport.parkNanos(1_000_000);
    }
  }

  private List<RpcServer> servers() {
    return List.of(plain, secure, unix);
  }

  void awaitQuiet() throws Exception {
    for (RpcServer server : servers()) {
      Await.until("no connection is open", () -> server.counters().connectionsOpen() == 0);
      Await.until("no call is open", () -> server.counters().callsOpen() == 0);
    }
  }

  String summary() {
    StringBuilder text = new StringBuilder();
    for (RpcServer server : servers()) {
      text.append(server.address()).append(' ').append(server.counters()).append('\n');
    }
    return text.toString();
  }

  @Override
  public void close() {
    servers().forEach(RpcServer::close);
  }
}
