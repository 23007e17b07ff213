package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import io.opentelemetry.context.Context;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.trace.ReadWriteSpan;
import io.opentelemetry.sdk.trace.ReadableSpan;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.SpanProcessor;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whatever is wrong with a call, it leaves nothing behind. Those with a malformed {@code
 * grpc-timeout} kept their places among {@code maxCalls} for ever: gRPC had made their tracers, and
 * never closed them.
 */
class MalformedCallsTest extends RpcTest {
  private static final String[] GOOD = {
    ":method", "POST",
    ":scheme", "http",
    ":path", "/hello.Greeter/SayHello",
    ":authority", "localhost",
    "te", "trailers",
    "content-type", "application/grpc"
  };

  /** What is put in place of a good header, or added; a value of {@code -} takes it out. */
  static final List<List<String>> HEADERS = List.of(
      List.of("grpc-timeout", "abc"),
      List.of("grpc-timeout", "1"),
      List.of("grpc-timeout", ""),
      List.of("grpc-timeout", "S"),
      List.of("grpc-timeout", "123456789S"),
      List.of("grpc-timeout", "-1S"),
      List.of("grpc-timeout", "1 second"),
      List.of("grpc-timeout", "0S"),
      List.of("grpc-timeout", "99999999H"),
      List.of("grpc-timeout", "1x", "grpc-timeout", "1S"),
      List.of("content-type", "-"),
      List.of("content-type", "text/html"),
      List.of("content-type", "application/grpcfoo"),
      List.of("te", "-"),
      List.of("te", "gzip"),
      List.of(":path", "-"),
      List.of(":path", ""),
      List.of(":path", "hello.Greeter/SayHello"),
      List.of(":path", "/"),
      List.of(":path", "/hello.Greeter"),
      List.of(":path", "//"),
      List.of(":path", "/hello.Greeter/None"),
      List.of(":path", "/grpc.health.v1.Health/None"),
      List.of(":method", "GET"),
      List.of(":method", "-"),
      List.of(":scheme", "-"),
      List.of(":authority", "-"),
      List.of("host", "a", "host", "b", ":authority", "-"),
      List.of(":unknown", "x"),
      List.of(":status", "200"),
      List.of("grpc-encoding", "zip"),
      List.of("grpc-encoding", ""),
      List.of("grpc-encoding", "gzip", "grpc-encoding", "gzip"),
      List.of("grpc-accept-encoding", ",,,"),
      List.of("connection", "close"),
      List.of("Upper", "x"),
      List.of("", "x"),
      List.of("x-bin", "!!!"),
      List.of("grpc-trace-bin", "AAA*"),
      List.of("grpc-tags-bin", "!"),
      List.of("traceparent", "00-zz-zz-zz"),
      List.of("x-request-id", "\u0001"),
      List.of("long", "x".repeat(9_000)),
      List.of("content-length", "-1"),
      List.of("content-length", "3"));

  /** Frames in hex, behind the good headers of stream 1: type, flags, stream, payload. */
  static final List<String> FRAMES = List.of(
      "00 00 00000001 0200000000", // a message with an unknown flag
      "00 00 00000001 00ffffffff", // a negative length
      "00 00 00000001 007fffffff", // a length above the limit
      "00 01 00000001 000000ffff00", // the end inside a message
      "00 01 00000001 01000000024142", // compressed without an encoding
      "00 01 00000001 0000000002ffff", // no message of protobuf
      "00 08 00000001 ff00", // more padding than there is frame
      "00 01 00000000 00", // data on no stream
      "00 01 00000005 00", // data on a stream that never began
      "01 05 00000001 ", // empty trailers
      "01 04 00000001 ", // trailers without an end
      "01 05 00000000 ", // headers on no stream
      "01 05 00000002 ", // headers on a stream of the server's
      "01 05 00000003 ff", // headers that are not HPACK
      "01 05 00000003 bf", // an index that there is not
      "02 00 00000001 0000000110", // depends on itself
      "02 00 00000001 00", // a priority that is too short
      "03 00 00000001 00000008", // a reset
      "03 00 00000001 00", // a reset that is too short
      "03 00 00000009 00000008", // a reset of a stream that never began
      "04 00 00000000 000400000000", // no window at all
      "04 00 00000000 0004ffffffff", // a window above the maximum
      "04 00 00000000 00", // settings that are too short
      "04 00 00000001 ", // settings of a stream
      "04 01 00000000 000400000000", // an acknowledgement with settings
      "05 04 00000001 00000002", // a promise by a client
      "06 00 00000000 00", // a ping that is too short
      "06 00 00000001 0000000000000000", // a ping of a stream
      "07 00 00000000 0000000000000000", // the client goes away
      "08 00 00000001 00000000", // a window update of nothing
      "08 00 00000001 7fffffff", // a window above the maximum
      "08 00 00000000 7fffffff", // the same for the connection
      "09 04 00000001 00", // a continuation of nothing
      "63 00 00000001 00"); // a frame of an unknown type

  /** Logs each of them with two stack traces. A field, since loggers are held weakly. */
  private static final Logger GRPC = Logger.getLogger("io.grpc.netty.NettyServerHandler");

  private final AtomicLong logged = new AtomicLong();

  /** The spans of the server's that have begun and not ended. */
  private final AtomicLong spans = new AtomicLong();

  private final OpenTelemetrySdk telemetry = OpenTelemetrySdk.builder()
      .setTracerProvider(
          SdkTracerProvider.builder().addSpanProcessor(new OpenSpans()).build())
      .build();

  private final class OpenSpans implements SpanProcessor {
    @Override
    public void onStart(Context parent, ReadWriteSpan span) {
      spans.incrementAndGet();
    }

    @Override
    public boolean isStartRequired() {
      return true;
    }

    @Override
    public void onEnd(ReadableSpan span) {
      spans.decrementAndGet();
    }

    @Override
    public boolean isEndRequired() {
      return true;
    }
  }

  @BeforeEach
  void quiet() {
    closing(telemetry);
    GRPC.setLevel(Level.OFF);
  }

  @AfterEach
  void loud() {
    GRPC.setLevel(null);
  }

  private RpcServerBuilder small() {
    return RpcServer.builder()
        .addService(new GreeterService())
        .maxCalls(3)
        .observe(MicrometerObserver.of(new SimpleMeterRegistry()))
        .observe(OpenTelemetryObserver.of(telemetry))
        .accessLog(call -> logged.incrementAndGet());
  }

  private Http2Frames connect(RpcServer server) throws IOException {
    return begun(new Socket(InetAddress.getLoopbackAddress(), server.port()));
  }

  private Http2Frames begun(Socket socket) throws IOException {
    Http2Frames client = closing(new Http2Frames(socket));
    client.sendPreface();
    client.send(Http2Frames.SETTINGS, 0, 0);
    return client;
  }

  static String[] headers(List<String> changes) {
    List<String> all = new ArrayList<>();
    for (int i = 0; i < GOOD.length; i += 2) {
      if (!changes.contains(GOOD[i])) {
        all.addAll(List.of(GOOD[i], GOOD[i + 1]));
      }
    }
    for (int i = 0; i < changes.size(); i += 2) {
      if (!changes.get(i + 1).equals("-")) {
        // Pseudo headers come first.
        all.addAll(changes.get(i).startsWith(":") ? 0 : all.size(), changes.subList(i, i + 2));
      }
    }
    return all.toArray(new String[0]);
  }

  /** All is as it was before the first call, and calls are served. */
  private void assertNothingIsLeft(RpcServer server) throws Exception {
    RpcCounters counters = server.counters();
    Await.until("no call is open: " + counters, () -> counters.callsOpen() == 0);
    Await.until("no reply waits: " + counters, () -> counters.replyBytesPending() == 0);
    try (RpcChannel channel =
        RpcChannel.builder().address("127.0.0.1", server.port()).build()) {
      GreeterClient client = GreeterClient.of(channel);
      for (int i = 0; i < 4; i++) {
        assertThat(client.sayHello("x", Duration.ofSeconds(20))).isEqualTo("Hello, x!");
      }
    }
    Await.until(
        "each call that began has ended: " + counters,
        () -> counters.callsSucceeded() + counters.callsFailed() == counters.callsStarted());
    Await.until(
        "each is logged: " + counters,
        () -> logged.get() == counters.callsStarted() + counters.callsRefused());
    Await.until("no span is open", () -> spans.get() == 0);
    Await.until("no connection is open: " + counters, () -> counters.connectionsOpen() == 0);
  }

  @Test
  void malformedHeadersLeaveNothing() throws Exception {
    RpcServer server = start(small());
    for (List<String> changes : HEADERS) {
      Http2Frames client = connect(server);
      for (int stream = 1; stream < 12; stream += 2) {
        try {
          client.sendHeaders(
              stream,
              Http2Frames.END_HEADERS | (stream % 4 == 1 ? Http2Frames.END_STREAM : 0),
              headers(changes));
        } catch (IOException ended) {
          break;
        }
      }
      client.awaitSeen();
      client.close();
      Await.until("no call is open after " + changes, () -> server.counters().callsOpen() == 0);
    }
    assertNothingIsLeft(server);
    assertThat(server.counters().callsMalformed()).isGreaterThan(50);
  }

  /** While the connection stays open. */
  @Test
  void thousandsOfMalformedTimeoutsTakeNoPlace() throws Exception {
    RpcServer server = start(small());
    Http2Frames client = connect(server);
    String[] malformed = headers(List.of("grpc-timeout", "abc"));
    for (int i = 0; i < 5_000; i++) {
      client.sendHeaders(2 * i + 1, Http2Frames.END_HEADERS, malformed);
    }
    client.awaitSeen();

    assertThat(server.counters().callsOpen()).isZero();
    assertThat(server.counters().connectionsOpen()).isEqualTo(1);
    Await.until("all are counted", () -> server.counters().callsMalformed() == 5_000);
    // gRPC by itself would have begun one for each, and ended none.
    assertThat(spans).hasValue(0);
    assertThat(server.counters().callsStarted()).isZero();
    client.close();
    assertNothingIsLeft(server);
  }

  @Test
  void malformedFramesLeaveNothing() throws Exception {
    RpcServer server = start(small());
    for (String frame : FRAMES) {
      for (boolean halfClosed : new boolean[] {false, true}) {
        Http2Frames client = connect(server);
        client.sendHeaders(
            1, Http2Frames.END_HEADERS | (halfClosed ? Http2Frames.END_STREAM : 0), GOOD);
        String[] parts = frame.split(" ", 4);
        HexFormat hex = HexFormat.of();
        client.send(
            HexFormat.fromHexDigits(parts[0]),
            HexFormat.fromHexDigits(parts[1]),
            HexFormat.fromHexDigits(parts[2]),
            hex.parseHex(parts[3]));
        client.awaitSeen();
        client.close();
        Await.until("no call is open after " + frame, () -> server.counters().callsOpen() == 0);
      }
    }
    assertNothingIsLeft(server);
  }

  @Test
  void malformedCallsOverTlsLeaveNothing(@TempDir Path directory) throws Exception {
    Certificates certificates = Certificates.in(directory);
    RpcServer server = start(small().tls(certificates.server()));
    SSLContext trusting = SSLContext.getInstance("TLS");
    trusting.init(null, InsecureTrustManagerFactory.INSTANCE.getTrustManagers(), null);
    SSLSocket socket =
        (SSLSocket) trusting.getSocketFactory().createSocket("127.0.0.1", server.port());
    SSLParameters http2 = socket.getSSLParameters();
    http2.setApplicationProtocols(new String[] {"h2"});
    socket.setSSLParameters(http2);
    Http2Frames client = begun(socket);
    for (int i = 0; i < 100; i++) {
      client.sendHeaders(
          2 * i + 1, Http2Frames.END_HEADERS, headers(List.of("grpc-timeout", "abc")));
    }
    client.awaitSeen();

    assertThat(server.counters().callsOpen()).isZero();
    try (RpcChannel channel = RpcChannel.builder()
        .address("127.0.0.1", server.port())
        .tls(certificates.client())
        .build()) {
      assertThat(GreeterClient.of(channel).sayHello("x")).isEqualTo("Hello, x!");
    }
    client.close();
  }

  /** In one process gRPC gives what it throws to the client. */
  @Test
  void malformedTimeoutInOneProcessTakesNoPlace() throws Exception {
    RpcServer server = small().inProcessName("malformed-calls").start();
    // Not waiting for its clients: gRPC loses the streams of such calls there.
    closing(() -> server.stop(Duration.ZERO));
    RpcChannel channel =
        closing(RpcChannel.builder().inProcessName("malformed-calls").build());
    Metadata malformed = new Metadata();
    malformed.put(Metadata.Key.of("grpc-timeout", Metadata.ASCII_STRING_MARSHALLER), "abc");
    ManagedChannel plain = InProcessChannelBuilder.forName("malformed-calls").build();
    closing(plain::shutdownNow);
    Channel hostile =
        ClientInterceptors.intercept(plain, MetadataUtils.newAttachHeadersInterceptor(malformed));

    for (int i = 0; i < 10; i++) {
      assertThatThrownBy(() -> ClientCalls.blockingUnaryCall(
              hostile, TestService.UNARY, CallOptions.DEFAULT, REQUEST))
          .isInstanceOf(NumberFormatException.class);
    }

    Await.until("no call is open", () -> server.counters().callsOpen() == 0);
    assertThat(GreeterClient.of(channel).sayHello("x")).isEqualTo("Hello, x!");
  }
}
