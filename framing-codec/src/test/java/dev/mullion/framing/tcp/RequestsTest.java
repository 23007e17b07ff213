package dev.mullion.framing.tcp;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameReader;
import dev.mullion.framing.FrameTooLargeException;
import dev.mullion.framing.FrameWriter;
import dev.mullion.framing.TooLargePolicy;
import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.SubmissionPublisher;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Whose reply is whose, one way to go wrong after the other; all at once: RequestOrderModelTest.
 */
@Timeout(60)
class RequestsTest {
  private static byte[] bytes(String text) {
    return text.getBytes(UTF_8);
  }

  private static String reply(CompletableFuture<byte[]> request) throws Exception {
    return new String(request.get(20, TimeUnit.SECONDS), UTF_8);
  }

  @ParameterizedTest
  @EnumSource(names = {"SKIP", "REPORT"})
  void replyThatIsTooLargeFailsItsOwnRequest(TooLargePolicy policy) throws Exception {
    try (FramedServer server = FramedServer.builder()
            .handler(connection -> {
              for (byte[] frame : connection) {
                connection.send(frame.length == 0 ? new byte[101] : frame);
              }
            })
            .start();
        FramedClient client = FramedClient.builder()
            .port(server.port())
            .format(FrameFormat.builder().maxFrameLength(100).build())
            .tooLargePolicy(policy)
            .connect()) {
      CompletableFuture<byte[]> one = client.request(bytes("one"));
      CompletableFuture<byte[]> long1 = client.request(new byte[0]);
      CompletableFuture<byte[]> long2 = client.request(new byte[0]);
      CompletableFuture<byte[]> two = client.request(bytes("two"));

      assertThat(reply(one)).isEqualTo("one");
      assertThat(reply(two)).isEqualTo("two");
      assertThat(long1)
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isExactlyInstanceOf(FrameTooLargeException.class)
          .withMessage("frame length 101 exceeds maxFrameLength 100 (peer "
              + client.connection().remoteAddress() + ", frame 2)");
      assertThat(long2).isCompletedExceptionally();
      assertThat(client.counters().repliesDropped()).isZero();
    }
  }

  @Test
  void replyThatIsTooLargeEndsTheConnectionByDefault() throws Exception {
    FrameFormat small = FrameFormat.builder().maxFrameLength(100).build();
    try (FramedServer server = FramedServer.builder()
            .handler(connection -> {
              connection.receive();
              connection.send(new byte[101]);
              connection.receive();
            })
            .start();
        FramedClient client =
            FramedClient.builder().port(server.port()).format(small).connect()) {
      CompletableFuture<byte[]> first = client.request(new byte[1]);
      CompletableFuture<byte[]> second = client.request(new byte[2]);

      for (CompletableFuture<byte[]> each : java.util.List.of(first, second)) {
        assertThat(each)
            .failsWithin(20, TimeUnit.SECONDS)
            .withThrowableThat()
            .havingCause()
            .isExactlyInstanceOf(IOException.class)
            .havingCause()
            .isExactlyInstanceOf(FrameTooLargeException.class);
      }
    }
  }

  /** Their replies went to requests, one place too early for as long as the connection lasted. */
  @Test
  void repliesToOtherFramesAreDropped() throws Exception {
    try (FramedServer server = Way.BLOCKING.echo().start();
        FramedClient client = FramedClient.builder()
            .port(server.port())
            .onConnected(connection -> connection.sendAsync(bytes("greeting")))
            .connect()) {
      FramedConnection connection = client.connection();
      connection.send(bytes("before"));
      CompletableFuture<byte[]> one = client.request(bytes("one"));
      connection.send(ByteBuffer.wrap(bytes("a")));
      connection.trySend(bytes("b"));
      CompletableFuture<byte[]> two = client.request(bytes("two"));
      try (SubmissionPublisher<byte[]> source = new SubmissionPublisher<>()) {
        source.subscribe(connection.subscriber());
        source.submit(bytes("c"));
        Await.until("it is sent", () -> connection.counters().framesSent() == 7);
      }
      // That has ended the output, but for what waits.
      assertThat(reply(one)).isEqualTo("one");
      assertThat(reply(two)).isEqualTo("two");
      Await.until("all are dropped", () -> client.counters().repliesDropped() == 5);
      assertThat(client.counters().repliesUnrequested()).isZero();
    }
  }

  @Test
  void frameThatIsNotAnsweredTakesNoReply() throws Exception {
    try (FramedServer server = FramedServer.builder()
            .handler(connection -> {
              for (byte[] frame : connection) {
                if (frame.length > 0) {
                  connection.send(frame);
                }
              }
            })
            .start();
        FramedClient client = FramedClient.builder()
            .port(server.port())
            .onConnected(connection -> connection.sendUnanswered(new byte[0]))
            .connect()) {
      CompletableFuture<byte[]> one = client.request(bytes("one"));
      client.connection().sendUnanswered(new byte[0]).get(20, TimeUnit.SECONDS);
      CompletableFuture<byte[]> two = client.request(bytes("two"));

      assertThat(reply(one)).isEqualTo("one");
      assertThat(reply(two)).isEqualTo("two");
      assertThat(client.counters().repliesDropped()).isZero();
    }
  }

  /**
   * The one that waits is told at once that it is too long, and one that is cancelled is not sent.
   */
  @Test
  void requestsThatWaitForRoomHaveNoPlaceYet() throws Exception {
    try (ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        FramedClient client = FramedClient.builder()
            .port(listener.getLocalPort())
            .format(FrameFormat.builder().maxFrameLength(1000).build())
            .outboundHighWaterMark(20_000)
            .connect();
        Socket peer = listener.accept()) {
      CompletableFuture<Void> go = new CompletableFuture<>();
      client.connection().link().context().executor().execute(go::join);
      for (int i = 0; i < 21; i++) {
        client.request(new byte[1000]);
      }
      assertThat(client.counters().sendsDelayed()).isOne();
      CompletableFuture<byte[]> cancelled = client.request(bytes("cancelled"));
      CompletableFuture<byte[]> kept = client.request(bytes("kept"));

      assertThat(client.request(new byte[1001]))
          .isCompletedExceptionally()
          .failsWithin(1, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isExactlyInstanceOf(FrameTooLargeException.class);
      assertThat(cancelled.cancel(true)).isTrue();
      go.complete(null);
      FrameReader in = FrameReader.of(peer.getInputStream(), FrameFormat.defaults());
      FrameWriter out = FrameWriter.of(peer.getOutputStream(), FrameFormat.defaults());
      byte[] frame;
      do {
        frame = requireNonNull(in.read());
        out.write(frame);
        out.flush();
      } while (frame.length != "kept".length());
      assertThat(reply(kept)).isEqualTo("kept");
      assertThat(client.counters().repliesDropped()).isZero();
    }
  }

  /** One timer serves them all: those sent, those that wait for room, and those made later. */
  @Test
  void eachRequestHasItsOwnTimeout() throws Exception {
    try (ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        FramedClient client = FramedClient.builder()
            .port(listener.getLocalPort())
            .outboundHighWaterMark(20_000)
            .connect();
        Socket peer = listener.accept()) {
      CompletableFuture<byte[]> patient = client.request(bytes("patient"));
      CompletableFuture<byte[]> hasty = client.request(bytes("hasty"), Duration.ofMillis(20));
      assertTimesOut(hasty, 20);
      assertTimesOut(client.request(bytes("later"), Duration.ofMillis(30)), 30);
      assertThat(patient).isNotDone();
      FrameWriter out = FrameWriter.of(peer.getOutputStream(), FrameFormat.defaults());
      out.write(bytes("it came"));
      out.flush();
      assertThat(reply(patient)).isEqualTo("it came");

      while (client.counters().sendsDelayed() == 0) {
        client.request(new byte[9_000]);
      }
      assertTimesOut(client.request(bytes("waits"), Duration.ofMillis(40)), 40);
      Await.until("all three are counted", () -> client.counters().requestsTimedOut() == 3);
    }
  }

  private static void assertTimesOut(CompletableFuture<byte[]> request, int millis) {
    assertThat(request)
        .failsWithin(20, TimeUnit.SECONDS)
        .withThrowableThat()
        .havingCause()
        .isExactlyInstanceOf(TimeoutException.class)
        .withMessageStartingWith("no reply received in " + millis + " ms (requestTimeout, peer ");
  }

  /** It cannot be known whose it is; but one that nobody can have asked for is noticed. */
  @Test
  void frameThatNobodyAskedForIsCountedAndDropped() throws Exception {
    try (ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        FramedClient client = FramedClient.connect("127.0.0.1", listener.getLocalPort());
        Socket peer = listener.accept()) {
      FrameReader in = FrameReader.of(peer.getInputStream(), FrameFormat.defaults());
      FrameWriter out = FrameWriter.of(peer.getOutputStream(), FrameFormat.defaults());
      CompletableFuture<byte[]> one = client.request(bytes("one"));
      out.write(requireNonNull(in.read()));
      out.write(bytes("news"));
      out.flush();
      assertThat(reply(one)).isEqualTo("one");
      Await.until("it is counted", () -> client.counters().repliesUnrequested() == 1);

      CompletableFuture<byte[]> two = client.request(bytes("two"));
      out.write(requireNonNull(in.read()));
      out.flush();
      assertThat(reply(two)).isEqualTo("two");
      assertThat(client.counters().repliesDropped()).isOne();
    }
  }

  @Test
  void formatMayChangeBetweenRequests() throws Exception {
    FrameFormat later = FrameFormat.netstring().toBuilder().maxFrameLength(100).build();
    try (FramedServer server = FramedServer.builder()
            .handler(connection -> {
              connection.send(requireNonNull(connection.receive()));
              connection.format(later);
              for (byte[] frame : connection) {
                connection.send(frame);
              }
            })
            .start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      assertThat(reply(client.request(bytes("one")))).isEqualTo("one");
      client.connection().format(later);
      CompletableFuture<byte[]> two = client.request(bytes("two"));
      assertThat(client.request(new byte[101])).isCompletedExceptionally();
      CompletableFuture<byte[]> three = client.request(bytes("three"));

      assertThat(reply(two)).isEqualTo("two");
      assertThat(reply(three)).isEqualTo("three");
    }
  }

  @Test
  void bytesAreNotTakenFromBelowRequests() throws Exception {
    try (FramedServer server = Way.BLOCKING.echo().start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port());
        FramedClient other = FramedClient.connect("127.0.0.1", server.port())) {
      assertThat(reply(client.request(bytes("one")))).isEqualTo("one");
      assertThatThrownBy(() -> client.connection().takeReceivedBytes())
          .isExactlyInstanceOf(IllegalStateException.class)
          .hasMessage("request() takes the received bytes");

      FramedConnection connection = other.connection();
      connection.send(bytes("hello"));
      Await.until("its reply is taken", () -> connection.takeReceivedBytes().length > 0);
      assertThatThrownBy(() -> other.request(bytes("one")))
          .isExactlyInstanceOf(IllegalStateException.class)
          .hasMessage("request() cannot be used: takeReceivedBytes() has taken bytes that may have"
              + " been replies (peer " + connection.remoteAddress() + ")");
    }
  }
}
