package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.Await;
import io.grpc.CallOptions;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bytes that are no messages, on both sides: each has a code, and words that say what is wrong. */
class MalformedMessagesTest extends RpcTest {
  /** The prefix of a message is a flag and four bytes of length. */
  private static final String CASES = """
      gzip      | 01 00000004 61626364   | INTERNAL: inbound message cannot be decompressed: Not \
      in GZIP format
      gzip      | 01 00000001 1f         | INTERNAL: inbound message cannot be decompressed: \
      java.io.EOFException
      gzip      | 01 00000017 1f8b0800000000000203e362ac00000000000000000000 | INTERNAL: inbound \
      message cannot be decompressed: Corrupt GZIP trailer
      gzip      | 01 0000000d 1f8b0800000000000203e362ac | INTERNAL: inbound message cannot be \
      decompressed: Unexpected end of ZLIB input stream
      identity  | 00 ffffffff            | RESOURCE_EXHAUSTED: inbound message of 4294967295 \
      bytes exceeds maxInboundMessageSize 4194304
      identity  | 00 80000000            | RESOURCE_EXHAUSTED: inbound message of 2147483648 \
      bytes exceeds maxInboundMessageSize 4194304
      identity  | 00 00400001            | RESOURCE_EXHAUSTED: inbound message of 4194305 bytes \
      exceeds maxInboundMessageSize 4194304
      identity  | 02 00000000            | INTERNAL: gRPC frame header malformed: reserved bits \
      not zero
      identity  | 01 00000001 00         | INTERNAL: Can't decode compressed gRPC message as \
      compression not configured
      identity  | 00 00000005 6162       | INTERNAL: Encountered end-of-stream mid-frame
      identity  | 00 0000                | INTERNAL: Encountered end-of-stream mid-frame
      identity  | 00 00000002 ffff       | INTERNAL: Invalid protobuf byte sequence
      """;

  private static ServerServiceDefinition service() {
    return ServerServiceDefinition.builder(ServiceDescriptor.newBuilder("test.Service")
            .addMethod(TestService.UNARY)
            .addMethod(TestService.BIDI)
            .build())
        .addMethod(
            TestService.UNARY,
            ServerCalls.asyncUnaryCall((request, replies) -> replies.onCompleted()))
        .addMethod(
            TestService.BIDI,
            ServerCalls.asyncBidiStreamingCall(replies ->
                RpcMethod.bidiStreaming(replies, (requests, writer) -> {
                  for (Object each : requests) {
                    assertThat(each).isNotNull();
                  }
                })))
        .build();
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = CASES)
  void clientThatSendsThemIsToldSo(String encoding, String bytes, String status) throws Exception {
    RpcServer server = start(RpcServer.builder().addService(service()));

    for (String method : new String[] {"Unary", "Bidi"}) {
      try (Http2Frames client =
          new Http2Frames(new Socket(InetAddress.getLoopbackAddress(), server.port()))) {
        client.sendPreface();
        client.send(Http2Frames.SETTINGS, 0, 0);
        client.sendCall(1, "/test.Service/" + method, Map.of("grpc-encoding", encoding));
        client.send(Http2Frames.DATA, Http2Frames.END_STREAM, 1, hex(bytes));

        assertThat(client.readStatus()).as(method).startsWith(status);
      }
    }
    Await.until("no call is left", () -> server.counters().callsOpen() == 0);
    assertThat(server.counters().callsFailed()).isEqualTo(2);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = CASES)
  void serverThatSendsThemIsNamedAsTheCause(String encoding, String bytes, String status)
      throws Exception {
    try (ServerSocket listening = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      RpcChannel channel = closing(
          RpcChannel.builder().address("127.0.0.1", listening.getLocalPort()).build());
      var reply = ClientCalls.futureUnaryCall(
          channel.newCall(TestService.UNARY, CallOptions.DEFAULT), REQUEST);
      try (Http2Frames server = new Http2Frames(listening.accept())) {
        server.readPreface();
        server.send(Http2Frames.SETTINGS, 0, 0);
        server.read(Http2Frames.DATA);
        server.sendReply(
            3, 0, Map.of("content-type", "application/grpc", "grpc-encoding", encoding));
        server.send(Http2Frames.DATA, 0, 3, hex(bytes));
        server.sendReply(3, Http2Frames.END_STREAM, Map.of("grpc-status", "0"));

        assertThatThrownBy(() -> reply.get(30, TimeUnit.SECONDS))
            .isInstanceOf(ExecutionException.class)
            .cause()
            .hasMessageStartingWith(status);
      }
    }
  }

  private static byte[] hex(String bytes) {
    return HexFormat.of().parseHex(bytes.replace(" ", ""));
  }
}
