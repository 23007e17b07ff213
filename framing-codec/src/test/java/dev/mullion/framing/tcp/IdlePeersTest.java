package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.framing.testing.Threads;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Which connections are idle, over real sockets. How long is long enough is not said in time: it is
 * until others, which are idle, have been closed one after the other.
 */
@Timeout(60)
class IdlePeersTest {
  private static final Duration IDLE = Duration.ofSeconds(1);

  @TempDir
  static Path directory;

  private static Certificates certificates;

  @BeforeAll
  static void makeCertificates() throws Exception {
    certificates = Certificates.in(directory);
  }

  private static void awaitIdleOther(FramedServer server, boolean tls) throws Exception {
    try (FramedClient other = client(server.port(), tls)) {
      assertThat(other.connection().receive(Duration.ofSeconds(20))).isNull();
    }
  }

  private static FramedClient client(int port, boolean tls) throws IOException {
    FramedClientBuilder client = FramedClient.builder().port(port);
    return (tls ? client.host("localhost").tls(certificates.client()) : client).connect();
  }

  private static FramedServerBuilder server(boolean tls) {
    FramedServerBuilder server = FramedServer.builder().idleTimeout(IDLE);
    return tls ? server.tls(certificates.server()) : server;
  }

  /** After a level that was the same at each look, it was closed. */
  @Test
  void peerThatOnlyReceivesIsNotIdle() throws Exception {
    Threads.forEach(List.of(false, true), IdlePeersTest::onlyReceive);
  }

  private static void onlyReceive(boolean tls) throws Exception {
    CompletableFuture<FramedConnection> pushing = new CompletableFuture<>();
    try (FramedServer server = server(tls)
            .handler(connection -> {
              if (connection.receive() == null) {
                return;
              }
              pushing.complete(connection);
              while (connection.isOpen()) {
                connection.send(new byte[10]);
                LockSupport.parkNanos(1_000_000);
              }
            })
            .start();
        FramedClient peer = client(server.port(), tls)) {
      peer.connection().send(new byte[1]);
      CompletableFuture<Void> received = Threads.run(() -> drain(peer.connection()));
      FramedConnection busy = pushing.get(20, TimeUnit.SECONDS);
      awaitIdleOther(server, tls);

      assertThat(busy.isOpen()).isTrue();
      assertThat(server.counters().connectionsIdle()).isOne();
      busy.closeWhenSent();
      received.get(20, TimeUnit.SECONDS);
    }
  }

  private static void drain(FramedConnection connection) {
    try {
      while (connection.receive() != null) {
        // All that is sent is taken.
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void peerThatIsNotReadFromIsNotIdle() throws Exception {
    Threads.forEach(List.of(false, true), IdlePeersTest::isNotReadFrom);
  }

  private static void isNotReadFrom(boolean tls) throws Exception {
    int frames = 30;
    byte[] frame = EchoServers.random(100_000, 1);
    CompletableFuture<Void> go = new CompletableFuture<>();
    AtomicInteger handled = new AtomicInteger();
    try (FramedServer server = server(tls)
            .inboundHighWaterMark(1000)
            .handler(connection -> {
              for (byte[] received : connection) {
                go.join();
                assertThat(received).isEqualTo(frame);
                handled.incrementAndGet();
              }
            })
            .start();
        FramedClient peer = client(server.port(), tls)) {
      CompletableFuture<Void> sent = Threads.run(() -> {
        try {
          for (int i = 0; i < frames; i++) {
            peer.connection().send(frame);
          }
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      });
      Await.until("it is not read from", () -> server.counters().readsPaused() > 0);
      awaitIdleOther(server, tls);
      go.complete(null);

      sent.get(20, TimeUnit.SECONDS);
      Await.until("all is handled", () -> handled.get() == frames);
      assertThat(server.counters().connectionsIdle()).isOne();
    }
  }

  /** Records that are not complete are something that comes too. */
  @Test
  void peerThatDripsARecordOfTlsIsNotIdle() throws Exception {
    CompletableFuture<byte[]> received = new CompletableFuture<>();
    try (FramedServer server = server(true)
            .handler(connection -> {
              byte[] frame = connection.receive();
              if (frame != null) {
                received.complete(frame);
              }
            })
            .start();
        Dripping between = new Dripping(server.port());
        FramedClient peer = client(between.port(), true)) {
      between.drips = true;
      byte[] frame = EchoServers.random(16_000, 2);
      peer.connection().send(frame);
      awaitIdleOther(server, true);
      assertThat(received).isNotDone();
      assertThat(server.counters().connectionsIdle()).isOne();
      between.drips = false;

      assertThat(received).succeedsWithin(Duration.ofSeconds(20)).isEqualTo(frame);
    }
  }

  /** Passes on what a client sends, byte by byte if that is wanted, and what a server sends. */
  private static final class Dripping implements AutoCloseable {
    private final ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
    private final Socket server = new Socket();
    private volatile boolean drips;

    Dripping(int port) throws IOException {
      server.connect(new java.net.InetSocketAddress(InetAddress.getLoopbackAddress(), port));
      Threads.run(() -> {
        try (Socket client = listener.accept()) {
          Threads.run(() -> passOn(server, client, false));
          passOn(client, server, true);
        } catch (IOException closed) {
          throw new UncheckedIOException(closed);
        }
      });
    }

    private void passOn(Socket from, Socket to, boolean mayDrip) {
      byte[] bytes = new byte[16 * 1024];
      try (InputStream in = from.getInputStream()) {
        OutputStream out = to.getOutputStream();
        for (int length = in.read(bytes); length > 0; length = in.read(bytes)) {
          for (int at = 0; at < length; ) {
            boolean drip = mayDrip && drips;
            int some = drip ? 1 : length - at;
            out.write(bytes, at, some);
            at += some;
            if (drip) {
              LockSupport.parkNanos(5_000_000);
            }
          }
        }
        to.shutdownOutput();
      } catch (IOException closed) {
        throw new UncheckedIOException(closed);
      }
    }

    int port() {
      return listener.getLocalPort();
    }

    @Override
    public void close() throws IOException {
      listener.close();
      server.close();
    }
  }

  @Test
  void connectionThatNobodyReceivesFromIsEndedUnderItsOwnName() throws Exception {
    CompletableFuture<Throwable> end = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
            .idleTimeout(IDLE)
            .stallTimeout(IDLE)
            .handler(connection -> {
              connection.closed().whenComplete((done, error) -> end.complete(error));
              end.get();
            })
            .start();
        EchoPeer peer = EchoPeer.of(server).send(new byte[10])) {
      peer.expectClosed();

      assertThat(end.get(20, TimeUnit.SECONDS))
          .isInstanceOf(CompletionException.class)
          .cause()
          .isInstanceOf(SocketTimeoutException.class)
          .hasMessageMatching("connection was stalled by this side for [0-9]+ ms: its handler took"
              + " none of the 14 waiting bytes \\(stallTimeout: 1000 ms, peer " + peer.address()
              + "\\)");
      assertThat(server.counters().connectionsStalled()).isOne();
      assertThat(server.counters().connectionsIdle()).isZero();
    }
  }

  /** The receiver looked when half of it was there, and then had other things to do. */
  @Test
  void frameThatCameInTimeIsNotLate() throws Exception {
    try (ServerSocket listener = new ServerSocket(0, 2, InetAddress.getLoopbackAddress());
        FramedClient client = FramedClient.builder()
            .port(listener.getLocalPort())
            .frameTimeout(Duration.ofSeconds(1))
            .connect();
        Socket peer = listener.accept()) {
      peer.getOutputStream().write(new byte[] {0, 0, 0, 2, 'h'});
      assertThatThrownBy(() -> client.connection().receive(Duration.ofMillis(10)))
          .isInstanceOf(SocketTimeoutException.class);
      peer.getOutputStream().write('i');
      Await.until("it is complete", () -> client.connection().link().bytesNotTaken() == 6);
      // For longer than one that is late would be left.
      try (FramedClient other = FramedClient.builder()
              .port(listener.getLocalPort())
              .frameTimeout(Duration.ofSeconds(1))
              .connect();
          Socket late = listener.accept()) {
        late.getOutputStream().write(0);
        assertThatThrownBy(() -> other.connection().receive()).isInstanceOf(IOException.class);
        assertThat(other.counters().framesTimedOut()).isOne();
      }

      assertThat(client.connection().receive()).asString().isEqualTo("hi");
      assertThat(client.counters().framesTimedOut()).isZero();
    }
  }
}
