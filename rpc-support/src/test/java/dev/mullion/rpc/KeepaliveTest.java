package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.mullion.framing.testing.Threads;
import io.grpc.Status;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class KeepaliveTest extends RpcTest {
  /** A server permits a little more than its clients with the same value do. */
  @Test
  void serverPermitsWhatTheSameValueAsksOfClients() {
    for (int seconds : new int[] {10, 20, 60, 7200}) {
      Keepalive keepalive = Keepalive.defaults().time(Duration.ofSeconds(seconds));

      assertThat(keepalive.permitted()).isLessThan(keepalive.time());
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Keepalive.defaults().time(Duration.ofMillis(9999)))
        .withMessage("time: PT9.999S (expected: >= PT10S)");
  }

  @Test
  void clientThatPingedTooOftenIsToldWhichSettingItWas() throws Exception {
    try (ServerSocket listening = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      CompletableFuture<Void> server = Threads.run(() -> endForPings(listening));
      RpcChannel channel = closing(
          RpcChannel.builder().address("127.0.0.1", listening.getLocalPort()).build());

      Status status = failure(() -> call(channel));

      server.get();
      assertThat(status.getDescription())
          .contains("too_many_pings")
          .endsWith("the channel's keepalive pings more often than the server permits "
              + "(expected: the server's own keepalive, or a longer time without withoutCalls)");
    }
  }

  private static void endForPings(ServerSocket listening) {
    try (Http2Frames frames = new Http2Frames(listening.accept())) {
      frames.readPreface();
      frames.send(Http2Frames.SETTINGS, 0, 0);
      frames.read(Http2Frames.HEADERS);
      byte[] goAway = "\0\0\0\1\0\0\0\13too_many_pings".getBytes(US_ASCII);
      frames.send(Http2Frames.GOAWAY, 0, 0, goAway);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
