package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import dev.mullion.rpc.greeter.HelloReply;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/**
 * A server with a heap of 128 MiB has 300 calls whose replies of 2 MB nobody reads. It kept them
 * all, and ended with an OutOfMemoryError.
 */
class UnreadRepliesMemoryTest extends RpcTest {
  private static final int REPLY = 2_000_000;

  /** The server's process; says its port, and at its end what it has counted. */
  static final class Sender {
    private Sender() {}

    public static void main(String[] args) throws Exception {
      try (RpcServer server = RpcServer.builder()
          // What services hold themselves is not what is tested.
          .maxHandlerThreads(16)
          .addService(new GreeterService())
          .addService(TestService.unary((request, replies) -> {
            replies.onNext(HelloReply.newBuilder().setMessage("x".repeat(REPLY)).build());
            replies.onCompleted();
          }))
          .start()) {
        System.out.println(server.port());
        // Until the test ends its side.
        int end = System.in.read();
        assertThat(end).isEqualTo(-1);
        System.out.println(server.counters().repliesRefused());
        server.stop(Duration.ofSeconds(1));
        System.out.println(server.counters().callsFailed());
        System.out.println(server.counters().replyBytesPending());
      }
    }
  }

  @Test
  void unreadRepliesLeaveMemoryForOthers() throws Exception {
    Process server = ClassPath.java(any -> true, Sender.class, "-Xmx128m");
    closing(server::destroyForcibly);
    BufferedReader says = new BufferedReader(new InputStreamReader(server.getInputStream(), UTF_8));
    int port = Integer.parseInt(says.readLine());
    for (int i = 0; i < 3; i++) {
      Http2Frames client =
          closing(new Http2Frames(new Socket(InetAddress.getLoopbackAddress(), port)));
      client.sendPreface();
      client.send(Http2Frames.SETTINGS, 0, 0, new byte[] {0, 4, 0, 0, 0, 0});
      for (int stream = 1; stream < 200; stream += 2) {
        client.sendCall(stream, "/" + TestService.UNARY.getFullMethodName());
        client.send(Http2Frames.DATA, Http2Frames.END_STREAM, stream, new byte[5]);
      }
      client.awaitSeen();
    }

    try (RpcChannel channel = RpcChannel.builder().address("127.0.0.1", port).build()) {
      for (int i = 0; i < 20; i++) {
        assertThat(GreeterClient.of(channel).sayHello("x", Duration.ofSeconds(30)))
            .isEqualTo("Hello, x!");
        assertThat(call(channel).getMessage()).hasSize(REPLY);
      }
    }
    server.getOutputStream().close();

    assertThat(Long.parseLong(says.readLine())).as("replies refused").isGreaterThan(200);
    assertThat(says.readLine()).as("calls that failed, cut ones included").isEqualTo("300");
    assertThat(says.readLine()).as("bytes that wait at the end").isEqualTo("0");
    assertThat(server.waitFor(20, TimeUnit.SECONDS)).isTrue();
    assertThat(server.exitValue()).isZero();
  }
}
