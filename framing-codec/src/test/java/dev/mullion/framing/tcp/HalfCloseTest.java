package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.FramedServers.awaitEmpty;
import static java.net.StandardSocketOptions.SO_SNDBUF;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Peers that end their side and still read, on each transport that there is. */
@Timeout(60)
class HalfCloseTest {
  private static final int FRAMES = 10;

  static Stream<Arguments> waysOnTransports() {
    return EchoServers.transports()
        .flatMap(transport -> Stream.of(Way.values()).map(way -> Arguments.of(way, transport)));
  }

  @ParameterizedTest
  @MethodSource("waysOnTransports")
  void peerGetsItsRepliesAndACleanEnd(Way way, Transport transport) throws Exception {
    try (FramedServer server = way.echo().transport(transport).start();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.send(new byte[] {1}, new byte[] {2, 3}).halfClose();

      assertThat(peer.receive()).containsExactly(1);
      assertThat(peer.receive()).containsExactly(2, 3);
      assertThat(peer.receive()).isNull();
      awaitEmpty(server);
      assertThat(server.counters().connectionsFailed()).isZero();
      assertThat(server.counters().bytesNotSent()).isZero();
    }
  }

  /** Its end is seen with replies still to send. */
  @ParameterizedTest
  @MethodSource("waysOnTransports")
  void peerThatReadsLateGetsItsRepliesAndACleanEnd(Way way, Transport transport) throws Exception {
    byte[] frame = EchoServers.random(90_000, 4);
    try (FramedServer server = way.echo()
            .transport(transport)
            .option(SO_SNDBUF, 16 * 1024)
            .outboundHighWaterMark(4 * 1024 * 1024)
            .start();
        EchoPeer late = EchoPeer.of(server)) {
      for (int i = 0; i < FRAMES; i++) {
        late.send(frame);
      }
      late.halfClose();
      Await.until(
          "all has come",
          () -> server.counters().frames().bytesDecoded() == FRAMES * (frame.length + 4L)
              || server.counters().frames().framesEncoded() >= FRAMES);

      for (int i = 0; i < FRAMES; i++) {
        assertThat(late.receive()).isEqualTo(frame);
      }
      assertThat(late.receive()).isNull();
      awaitEmpty(server);
      assertThat(server.counters().connectionsFailed()).isZero();
      assertThat(server.counters().bytesNotSent()).isZero();
    }
  }
}
