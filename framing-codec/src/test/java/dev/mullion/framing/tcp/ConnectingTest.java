package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.framing.testing.Threads;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Names with several addresses, and look-ups that take long: all of it is inside connectTimeout.
 */
@Timeout(60)
class ConnectingTest {
  private static final Reconnect SOON = Reconnect.builder()
      .firstDelay(Duration.ofMillis(1))
      .maxDelay(Duration.ofMillis(20))
      .build();

  private static Certificates certificates;

  @BeforeAll
  static void makeCertificates(@TempDir Path directory) throws Exception {
    certificates = Certificates.in(directory);
  }

  private static NameLookup names(String... addresses) {
    return new NameLookup(host -> parsed(addresses));
  }

  private static InetAddress[] parsed(String... addresses) throws UnknownHostException {
    InetAddress[] found = new InetAddress[addresses.length];
    for (int i = 0; i < found.length; i++) {
      found[i] = InetAddress.getByName(addresses[i]);
    }
    return found;
  }

  private static FramedClientBuilder to(int port, NameLookup names) {
    return FramedClient.builder().host("localhost").port(port).lookup(names);
  }

  @Test
  void addressesThatRefuseArePassedOver() throws Exception {
    NameLookup names = names("127.0.0.8", "127.0.0.9", "127.0.0.1");
    try (FramedServer server = Way.BLOCKING.echo().start();
        FramedClient client = to(server.port(), names).connect()) {
      assertThat(client.request(new byte[] {1}).get(20, TimeUnit.SECONDS)).containsExactly(1);
      assertThat(client.connection().remoteAddress().toString())
          .endsWith("127.0.0.1:" + server.port());
    }
  }

  @Test
  void failuresOfAllAddressesAreInTheText() throws Exception {
    int port;
    try (ScriptedServer server = ScriptedServer.start(ScriptedServer::keep)) {
      port = server.port();
    }
    assertThatThrownBy(
            () -> to(port, names("127.0.0.8", "127.0.0.9", "127.0.0.8")).connect())
        .isExactlyInstanceOf(ConnectException.class)
        .hasMessage("cannot connect to localhost:" + port + ": 127.0.0.8: connection refused;"
            + " 127.0.0.9: connection refused");
  }

  /** A silent address, with or without TLS, has its share of the time and no more. */
  @Test
  void addressThatIsSilentIsPassedOver() throws Exception {
    try (FramedServer server = Way.BLOCKING.echo().tls(certificates.server()).start();
        ScriptedServer silent =
            ScriptedServer.start("127.0.0.7", server.port(), ScriptedServer::keep);
        FramedClient client = to(server.port(), names("127.0.0.7", "127.0.0.1"))
            .tls(certificates.client())
            .connectTimeout(Duration.ofSeconds(5))
            .connect()) {
      assertThat(client.request(new byte[] {1}).get(20, TimeUnit.SECONDS)).containsExactly(1);
      assertThat(silent.visits).hasSize(1);
    }
  }

  @Test
  void silentAddressesAreInTheText() throws Exception {
    try (ScriptedServer first = ScriptedServer.start(ScriptedServer::keep);
        ScriptedServer second =
            ScriptedServer.start("127.0.0.7", first.port(), ScriptedServer::keep)) {
      long start = System.nanoTime();
      assertThatThrownBy(() -> to(first.port(), names("127.0.0.9", "127.0.0.1", "127.0.0.7"))
              .tls(certificates.client())
              .connectTimeout(Duration.ofSeconds(1))
              .connect())
          .isExactlyInstanceOf(ConnectException.class)
          .hasMessage("cannot connect to localhost:" + first.port() + ": not connected in 1000 ms"
              + " (connectTimeout): no answer from 127.0.0.1, 127.0.0.7; 127.0.0.9: connection"
              + " refused");
      assertThat(Duration.ofNanos(System.nanoTime() - start))
          .isBetween(Duration.ofMillis(990), Duration.ofSeconds(15));
      assertThat(second.visits.size()).isLessThanOrEqualTo(1);
    }
  }

  /**
   * Its share was half of the time, and it was given up though there was nothing else to wait for.
   */
  @Test
  void slowAddressIsNotGivenUpForOneThatRefuses() throws Exception {
    CompletableFuture<Void> begun = new CompletableFuture<>();
    try (ScriptedServer refusing = ScriptedServer.start(ScriptedServer::keep);
        ScriptedServer slow =
            ScriptedServer.start("127.0.0.7", refusing.port(), (socket, number) -> {
              socket.setSoTimeout(20_000);
              while (socket.getInputStream().read() >= 0) {
                begun.complete(null);
              }
            })) {
      refusing.refuse();
      CompletableFuture<Long> failed = Threads.call(() -> {
        long start = System.nanoTime();
        assertThatThrownBy(() -> to(slow.port(), names("127.0.0.7", "127.0.0.1"))
                .tls(certificates.client())
                .connectTimeout(Duration.ofMillis(800))
                .connect())
            .hasMessageEndingWith("no answer from 127.0.0.7; 127.0.0.1: connection refused");
        return System.nanoTime() - start;
      });
      begun.get(20, TimeUnit.SECONDS);
      assertThat(Duration.ofNanos(failed.get(20, TimeUnit.SECONDS)))
          .isGreaterThanOrEqualTo(Duration.ofMillis(790));
    }
  }

  /** A certificate that is not trusted at one address says nothing of the next. */
  @Test
  void addressWhoseHandshakeFailsIsPassedOver(@TempDir Path directory) throws Exception {
    Certificates others = Certificates.in(directory);
    try (FramedServer bad = Way.BATCH.echo().tls(others.server()).start();
        FramedServer good = Way.BATCH
            .echo()
            .host("127.0.0.7")
            .port(bad.port())
            .tls(certificates.server())
            .start();
        FramedClient client = to(good.port(), names("127.0.0.1", "127.0.0.7"))
            .tls(certificates.client())
            .connect()) {
      assertThat(client.request(new byte[] {1}).get(20, TimeUnit.SECONDS)).containsExactly(1);
      assertThat(good.counters().connectionsOpened()).isOne();
    }
  }

  /** What the user's code says of a connection is not the address's fault. */
  @Test
  void failureOfOnConnectedIsNotTriedElsewhere() throws Exception {
    AtomicInteger called = new AtomicInteger();
    try (FramedServer server = Way.BATCH.echo().start()) {
      assertThatThrownBy(() -> to(server.port(), names("127.0.0.1", "127.0.0.2"))
              .onConnected(connection -> {
                throw new IllegalStateException("call " + called.incrementAndGet());
              })
              .connect())
          .isExactlyInstanceOf(IOException.class)
          .hasMessage("cannot connect to localhost:" + server.port() + ": call 1");
    }
  }

  @Test
  void lookUpIsInsideConnectTimeout() throws Exception {
    CompletableFuture<Void> never = new CompletableFuture<>();
    NameLookup names = new NameLookup(host -> {
      never.join();
      return parsed("127.0.0.1");
    });
    long start = System.nanoTime();
    assertThatThrownBy(() -> to(1, names).connectTimeout(Duration.ofMillis(100)).connect())
        .isExactlyInstanceOf(ConnectException.class)
        .hasMessage("cannot connect to localhost:1: not connected in 100 ms (connectTimeout):"
            + " still resolving localhost");
    assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(10));
    assertThat(names.running()).isOne();
    never.complete(null);
    Await.until("the look-up has ended", () -> names.running() == 0);
  }

  @Test
  void unknownNameIsNamed() {
    NameLookup names = new NameLookup(host -> {
      throw new UnknownHostException(host + ": whatever the system says");
    });
    assertThatThrownBy(() -> to(1, names).connect())
        .isExactlyInstanceOf(UnknownHostException.class)
        .hasMessage("host: localhost cannot be resolved");
  }

  /** The event loop looked the name up itself, and did nothing else meanwhile. */
  @Test
  void lookUpOfAReconnectIsOneFailedAttemptAfterTheOther() throws Exception {
    List<CompletableFuture<Void>> gates = new CopyOnWriteArrayList<>();
    AtomicInteger lookUps = new AtomicInteger();
    NameLookup names = new NameLookup(host -> {
      lookUps.incrementAndGet();
      gates.forEach(CompletableFuture::join);
      return parsed("127.0.0.1");
    });
    CompletableFuture<Void> held = new CompletableFuture<>();
    try (FramedServer server = Way.REACTIVE.echo().start();
        FramedClient client = to(server.port(), names)
            .reconnect(SOON)
            .connectTimeout(Duration.ofMillis(300))
            .connect()) {
      gates.add(held);
      client.connection().close();
      Await.until("two have failed", () -> client.counters().reconnectsFailed() >= 2);
      // Those that ask for a name that is being looked up wait for that.
      assertThat(lookUps).hasValue(2);
      assertThat(client.counters().reconnects()).isZero();
      held.complete(null);
      Await.until("it is connected again", () -> client.counters().reconnects() == 1);
      assertThat(client.request(new byte[] {1}).get(20, TimeUnit.SECONDS)).containsExactly(1);
    }
  }

  /** An address as text needs no thread, also while all of them wait for names. */
  @Test
  void threadsOfLookUpsAreBounded() throws Exception {
    CompletableFuture<Void> gate = new CompletableFuture<>();
    AtomicInteger most = new AtomicInteger();
    AtomicInteger now = new AtomicInteger();
    NameLookup names = new NameLookup(host -> {
      most.accumulateAndGet(now.incrementAndGet(), Math::max);
      gate.join();
      now.decrementAndGet();
      return parsed("127.0.0.1");
    });
    for (int i = 0; i < 1100; i++) {
      names.start("host" + i % 1050);
    }
    Await.until("all threads are taken", () -> now.get() == NameLookup.MAX_THREADS);
    assertThat(names.running()).isEqualTo(NameLookup.MAX_THREADS + 1024);
    assertThatThrownBy(() -> to(1, names).host("one.more").connect())
        .isExactlyInstanceOf(ConnectException.class)
        .hasMessage("cannot connect to one.more:1: host: one.more is not resolved: 16 look-ups"
            + " are running and 1024 are queued");
    assertThat(names.start("::1").get(20, TimeUnit.SECONDS)).containsExactly(parsed("::1"));
    gate.complete(null);
    Await.until("all have ended", () -> names.running() == 0);
    assertThat(most).hasValue(NameLookup.MAX_THREADS);
  }
}
