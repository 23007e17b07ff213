package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Servers that stop while peers send to them without pause: what they have accepted is answered, and
 * nothing of theirs is left.
 */
@Timeout(120)
class StopUnderLoadTest {
  /** Of each way to write a handler, and so more than a hundred. */
  private static final int ROUNDS = 34;

  private static final int TLS_ROUNDS = 5;

  private static final int PEERS = 3;

  /** How many frames a peer still sends after the stop has begun. */
  private static final int LAST_FRAMES = 200;

  @ParameterizedTest
  @EnumSource
  void acceptedFramesAreAnsweredAndNothingIsLeft(FramedServerTest.Way way) throws Exception {
    // Loads classes and native code, which stay.
    stopUnderLoad(way, 0, LAST_FRAMES, Duration.ofSeconds(20));
    int files = openFiles();
    for (int round = 1; round <= ROUNDS; round++) {
      StopReport report = stopUnderLoad(way, round * 50, LAST_FRAMES, Duration.ofSeconds(20));
      assertThat(report.took()).isLessThan(Duration.ofSeconds(10));
    }
    Await.until("no file or socket is left open", () -> openFiles() <= files);
  }

  /** The peers of the last round never pause; TLS 1.2 knows no end of one side only. */
  @ParameterizedTest
  @CsvSource({"BLOCKING, TLSv1.3", "BATCH, TLSv1.3", "REACTIVE, TLSv1.3", "BATCH, TLSv1.2"})
  void acceptedFramesAreAnsweredOverTlsToo(
      FramedServerTest.Way way, String protocol, @TempDir Path directory) throws Exception {
    TestCertificates certificates = TestCertificates.in(directory);
    SSLSocketFactory sockets = certificates.sockets();
    Connect connect = server -> {
      SSLSocket socket = (SSLSocket) sockets.createSocket();
      socket.setEnabledProtocols(new String[] {protocol});
      return EchoPeer.of(server, socket);
    };
    for (int round = 1; round <= TLS_ROUNDS; round++) {
      boolean endless = round == TLS_ROUNDS;
      stopUnderLoad(
          way.echo().tls(certificates.server()).start(),
          connect,
          round * 50,
          endless ? Integer.MAX_VALUE : LAST_FRAMES,
          Duration.ofSeconds(endless ? 6 : 20));
    }
  }

  /** They are heard for half of the time, and then get the end behind the frame that has begun. */
  @ParameterizedTest
  @EnumSource
  void peersThatNeverPauseDoNotUseUpTheTime(FramedServerTest.Way way) throws Exception {
    Duration deadline = Duration.ofSeconds(6);
    StopReport report = stopUnderLoad(way, 1_000, Integer.MAX_VALUE, deadline);
    assertThat(report.took()).isLessThan(deadline);
  }

  /** A server that closed while the peer sends would take from it what is still in the kernel. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void peerThatGoesOnSendingAndReadsLateGetsItsReplies(boolean secure, @TempDir Path directory)
      throws Exception {
    CompletableFuture<FramedConnection> entered = new CompletableFuture<>();
    FramedServer.Builder builder = FramedServer.builder()
        .batchHandler(() -> (connection, batch) -> {
          entered.complete(connection);
          FramedServerTest.reply(connection, batch);
        });
    TestCertificates certificates = TestCertificates.in(directory);
    Socket socket = secure ? certificates.sockets().createSocket() : new Socket();
    socket.setReceiveBufferSize(16 * 1024);
    try (FramedServer server = (secure ? builder.tls(certificates.server()) : builder).start();
        EchoPeer peer = EchoPeer.of(server, socket)) {
      AtomicBoolean done = new AtomicBoolean();
      CompletableFuture<Integer> sent = Threads.call(() -> sendWithoutPause(peer, done));
      Link link = entered.get(20, TimeUnit.SECONDS).link();
      TcpCounters counters = server.counters();
      Await.until("frames", () -> counters.frames().framesDecoded() > 60);
      CompletableFuture<StopReport> stop = Threads.call(() -> server.stop(Duration.ofSeconds(20)));
      Await.until("the server reads no more", () -> onLoop(link, link.ending::isInputEnded));

      int received = 0;
      while (peer.receive() != null) {
        received++;
      }
      done.set(true);
      assertThat(sent.get()).isGreaterThanOrEqualTo(received);
      peer.halfClose();
      assertThat(stop.get().bytesNotSent()).isZero();
      assertThat(received).isEqualTo((int) counters.frames().framesDecoded());
    }
  }

  /** Sends more than its own kernel takes, and then at a pace at which it never counts as quiet. */
  private static int sendWithoutPause(EchoPeer peer, AtomicBoolean done) {
    byte[] frame = new byte[10_000];
    int sent = 0;
    try {
      for (; sent < 60; sent++) {
        peer.send(frame);
      }
      for (long next = System.nanoTime(); !done.get(); next += 2_000_000) {
        peer.send(new byte[] {1});
        sent++;
        LockSupport.parkNanos(next - System.nanoTime());
      }
      return sent;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The handler could once send nothing any more when the peer had ended its side. */
  @Test
  void peerThatEndsItsSideWhileTheServerStopsGetsItsReplies() throws Exception {
    CompletableFuture<FramedConnection> entered = new CompletableFuture<>();
    CompletableFuture<Void> go = new CompletableFuture<>();
    FramedServer server = FramedServer.builder()
        .handler(connection -> {
          for (byte[] frame : connection) {
            entered.complete(connection);
            go.join();
            connection.send(frame);
          }
        })
        .start();
    try (EchoPeer peer = EchoPeer.of(server)) {
      peer.send(new byte[] {1}, new byte[] {2}, new byte[] {3});
      Link link = entered.get(20, TimeUnit.SECONDS).link();
      CompletableFuture<StopReport> stop = Threads.call(() -> server.stop(Duration.ofSeconds(20)));
      Await.until("the server wants no more", () -> onLoop(link, link.ending::isInputStopping));

      peer.halfClose();
      Await.until("it has seen that", () -> onLoop(link, link.ending::isPeerEnded));
      go.complete(null);

      for (byte number = 1; number <= 3; number++) {
        assertThat(peer.receive()).containsExactly(number);
      }
      assertThat(peer.receive()).isNull();
      assertThat(stop.get().finished()).isOne();
    }
    assertThat(server.counters().handlersFailed()).isZero();
  }

  private static boolean onLoop(Link link, Callable<Boolean> question) throws Exception {
    return link.context().executor().submit(question).get();
  }

  private static StopReport stopUnderLoad(
      FramedServerTest.Way way, int framesBefore, int lastFrames, Duration deadline)
      throws Exception {
    FramedServer server = way.echo().start();
    return stopUnderLoad(server, EchoPeer::of, framesBefore, lastFrames, deadline);
  }

  private static StopReport stopUnderLoad(
      FramedServer server, Connect connect, int framesBefore, int lastFrames, Duration deadline)
      throws Exception {
    AtomicBoolean stopping = new AtomicBoolean();
    List<Peer> peers = new ArrayList<>();
    for (int i = 0; i < PEERS; i++) {
      peers.add(new Peer(connect.to(server), stopping, lastFrames));
    }
    TcpCounters counters = server.counters();
    Await.until("all are connected", () -> counters.connectionsOpen() == PEERS);
    Await.until("frames", () -> counters.frames().framesDecoded() >= framesBefore);

    stopping.set(true);
    StopReport report = server.stop(deadline);

    long answered = 0;
    for (Peer peer : peers) {
      answered += peer.replies.get();
      peer.sends.get();
    }
    assertThat(answered).isEqualTo(counters.frames().framesDecoded());
    assertThat(report)
        .extracting(StopReport::finished, StopReport::cut, StopReport::bytesNotSent)
        .containsExactly(PEERS, 0, 0L);
    assertThat(report.bytesNotHandled()).isZero();
    expectNoTraceOf(server);
    return report;
  }

  private static void expectNoTraceOf(FramedServer server) throws Exception {
    TcpCounters counters = server.counters();
    assertThat(server.isTerminated()).isTrue();
    assertThat(server.memoryUsed()).isZero();
    assertThat(counters.connectionsOpen()).isZero();
    assertThat(counters.connectionsCut()).isZero();
    assertThat(counters.connectionsFailed()).isZero();
    assertThat(counters.handlersFailed()).isZero();
    assertThat(counters.bytesNotSent()).isZero();
    assertThat(counters.frames().framesTruncated()).isZero();
    assertThatThrownBy(() -> connectTo(server.address())).isInstanceOf(ConnectException.class);
    Await.until("no thread of the server is left", () -> threads().isEmpty());
  }

  /** From another address, since a socket that takes the port itself would reach itself. */
  private static void connectTo(SocketAddress address) throws IOException {
    try (Socket socket = new Socket()) {
      socket.bind(new InetSocketAddress("127.0.0.2", 0));
      socket.connect(address, 20_000);
    }
  }

  private static List<String> threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(name -> name.startsWith("mullion-"))
        .toList();
  }

  /** Where the system tells; elsewhere always 0. */
  private static int openFiles() {
    String[] files = new File("/proc/self/fd").list();
    return files == null ? 0 : files.length;
  }

  private interface Connect {
    EchoPeer to(FramedServer server) throws IOException;
  }

  /** Sends numbered frames from one thread, and reads the replies in another. */
  private static final class Peer {
    final CompletableFuture<Void> sends;
    final CompletableFuture<Integer> replies;

    private final EchoPeer peer;
    private final AtomicBoolean stopping;
    private final int lastFrames;

    Peer(EchoPeer peer, AtomicBoolean stopping, int lastFrames) {
      this.peer = peer;
      this.stopping = stopping;
      this.lastFrames = lastFrames;
      sends = Threads.run(this::send);
      replies = Threads.call(this::receiveToTheEnd);
    }

    private void send() {
      try {
        int number = 0;
        while (!stopping.get()) {
          peer.send(frame(number++));
        }
        for (int i = 0; i < lastFrames; i++) {
          peer.send(frame(number++));
        }
      } catch (IOException closed) {
        // The server has stopped.
      }
    }

    /** Returns how many replies came, each as it was sent and in order. */
    private int receiveToTheEnd() {
      int received = 0;
      try (peer) {
        for (byte[] reply = peer.receive(); reply != null; reply = peer.receive()) {
          assertThat(reply).isEqualTo(frame(received++));
        }
      } catch (SocketException reset) {
        // What was sent after a pause came too late; the replies are before that all the same.
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return received;
    }

    /** Most are short, and some are longer than a read. */
    private static byte[] frame(int number) {
      byte[] frame = new byte[number % 50 == 0 ? 100_000 : 4 + number * 31 % 500];
      Arrays.fill(frame, (byte) number);
      return ByteBuffer.wrap(frame).putInt(0, number).array();
    }
  }
}
