package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.framing.testing.Threads;
import dev.mullion.net.StopReport;
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
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Servers that stop while peers send to them without pause: what they have accepted is answered,
 * and nothing of theirs is left.
 */
@Timeout(120)
class StopUnderLoadTest {
  private static final int PEERS = 3;

  /** How many frames a peer still sends after the stop has begun. */
  private static final int LAST_FRAMES = 200;

  @TempDir
  static Path directory;

  private static Certificates certificates;

  @BeforeAll
  static void makeCertificates() throws Exception {
    certificates = Certificates.in(directory);
  }

  @ParameterizedTest
  @EnumSource
  void acceptedFramesAreAnsweredAndNothingIsLeft(Way way) throws Exception {
    // Loads classes and native code, which stay.
    stopAtOnce(way, 0);
    int files = openFiles();
    for (int round = 1; round <= EchoServers.STOP_ROUNDS; round++) {
      assertThat(stopAtOnce(way, round * 200).took()).isLessThan(Duration.ofSeconds(10));
    }
    Await.until("no file or socket is left open", () -> openFiles() <= files);
  }

  private static StopReport stopAtOnce(Way way, int framesBefore) throws Exception {
    StopReport report =
        stopUnderLoad(way, Wire.PLAIN, PEERS, framesBefore, LAST_FRAMES, Duration.ofSeconds(20));
    awaitNoThreads();
    return report;
  }

  /** What a server and its peers speak; TLS 1.2 knows no end of one side only. */
  private enum Wire {
    PLAIN(null),
    TLS_1_3("TLSv1.3"),
    TLS_1_2("TLSv1.2");

    private final @Nullable String protocol;

    Wire(@Nullable String protocol) {
      this.protocol = protocol;
    }

    FramedServer start(FramedServerBuilder server) throws IOException {
      return (protocol == null ? server : server.tls(certificates.server())).start();
    }

    Socket socket() throws Exception {
      if (protocol == null) {
        return new Socket();
      }
      SSLSocket socket = (SSLSocket) certificates.sockets().createSocket();
      socket.setEnabledProtocols(new String[] {protocol});
      return socket;
    }
  }

  private record Case(Way way, Wire wire) {}

  @ParameterizedTest
  @CsvSource({"BLOCKING, TLS_1_3", "BATCH, TLS_1_3", "REACTIVE, TLS_1_3", "BATCH, TLS_1_2"})
  void acceptedFramesAreAnsweredOverTlsToo(Way way, Wire wire) throws Exception {
    for (int round = 1; round <= (EchoServers.STOP_ROUNDS + 3) / 4; round++) {
      stopUnderLoad(way, wire, PEERS, round * 50, LAST_FRAMES, Duration.ofSeconds(20));
      awaitNoThreads();
    }
  }

  /**
   * They are heard for half of the time, and then get the end behind the frame that has begun. All
   * at once, each with one peer.
   */
  @Test
  void peersThatNeverPauseDoNotUseUpTheTime() throws Exception {
    Duration deadline = Duration.ofSeconds(8);
    List<Case> cases = List.of(
        new Case(Way.BLOCKING, Wire.PLAIN),
        new Case(Way.BATCH, Wire.PLAIN),
        new Case(Way.REACTIVE, Wire.PLAIN),
        new Case(Way.BLOCKING, Wire.TLS_1_3),
        new Case(Way.BATCH, Wire.TLS_1_3),
        new Case(Way.REACTIVE, Wire.TLS_1_3),
        new Case(Way.BATCH, Wire.TLS_1_2));
    Threads.forEach(cases, each -> {
      StopReport report =
          stopUnderLoad(each.way(), each.wire(), 1, 1_000, Integer.MAX_VALUE, deadline);
      assertThat(report.took()).isLessThan(deadline);
    });
    awaitNoThreads();
  }

  /** A server that closed while the peer sends would take from it what is still in the kernel. */
  @Test
  void peerThatGoesOnSendingAndReadsLateGetsItsReplies() throws Exception {
    Threads.forEach(
        List.of(Wire.PLAIN, Wire.TLS_1_3), StopUnderLoadTest::goesOnSendingAndReadsLate);
  }

  private static void goesOnSendingAndReadsLate(Wire wire) throws Exception {
    CompletableFuture<FramedConnection> entered = new CompletableFuture<>();
    FramedServerBuilder builder = FramedServer.builder().batchHandler(() -> (connection, batch) -> {
      entered.complete(connection);
      FramedServerTest.reply(connection, batch);
    });
    Socket socket = wire.socket();
    socket.setReceiveBufferSize(16 * 1024);
    try (FramedServer server = wire.start(builder);
        EchoPeer peer = EchoPeer.of(server, socket)) {
      AtomicBoolean done = new AtomicBoolean();
      CompletableFuture<Integer> sent = Threads.call(() -> sendWithoutPause(peer, done));
      Link link = entered.get(20, TimeUnit.SECONDS).link();
      TcpCounters counters = server.counters();
      Await.until("frames", () -> counters.frames().framesDecoded() > 60);
      CompletableFuture<StopReport> stop = Threads.call(() -> server.stop(Duration.ofSeconds(6)));
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
      Way way, Wire wire, int count, int framesBefore, int lastFrames, Duration deadline)
      throws Exception {
    FramedServer server = wire.start(way.echo());
    AtomicBoolean stopping = new AtomicBoolean();
    List<Peer> peers = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      // One that is still in the handshake of TLS when the server stops is not served at all.
      EchoPeer connected = EchoPeer.of(server, wire.socket()).echo((byte) 1);
      peers.add(new Peer(connected, stopping, lastFrames));
    }
    TcpCounters counters = server.counters();
    Await.until("frames", () -> counters.frames().framesDecoded() >= framesBefore);

    stopping.set(true);
    StopReport report = server.stop(deadline);

    long answered = count;
    for (Peer peer : peers) {
      answered += peer.replies.get();
      peer.sends.get();
    }
    assertThat(answered).isEqualTo(counters.frames().framesDecoded());
    assertThat(report)
        .extracting(StopReport::finished, StopReport::cut, StopReport::bytesNotSent)
        .containsExactly((long) count, 0L, 0L);
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
  }

  /** From another address, since a socket that takes the port itself would reach itself. */
  private static void connectTo(SocketAddress address) throws IOException {
    try (Socket socket = new Socket()) {
      socket.bind(new InetSocketAddress("127.0.0.2", 0));
      socket.connect(address, 20_000);
    }
  }

  private static void awaitNoThreads() throws Exception {
    try {
      Await.until("no thread of a server is left", () -> threadsOfServers().isEmpty());
    } catch (AssertionError e) {
      throw new AssertionError("threads of servers: " + threadsOfServers(), e);
    }
  }

  /**
   * The one that all servers share for their files of TLS ends some seconds later, and one that
   * looks up a name for a client ends when the system answers.
   */
  private static List<String> threadsOfServers() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(name -> name.startsWith("mullion-"))
        .filter(name -> !name.equals("mullion-tls-reload") && !name.equals("mullion-lookup"))
        .toList();
  }

  /** Where the system tells; elsewhere always 0. */
  private static int openFiles() {
    String[] files = new File("/proc/self/fd").list();
    return files == null ? 0 : files.length;
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
