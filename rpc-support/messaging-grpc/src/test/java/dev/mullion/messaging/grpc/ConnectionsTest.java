package dev.mullion.messaging.grpc;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingListener;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.net.Tls;
import dev.mullion.rpc.RpcChannel;
import io.grpc.Status;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** TLS, the age of connections, and peers that say nothing or nonsense. */
class ConnectionsTest {
  private static final WorkQueue<String> JOBS = WorkQueue.of("jobs", Codecs.utf8());

  private final ArrayDeque<AutoCloseable> closing = new ArrayDeque<>();

  @AfterEach
  void close() throws Exception {
    while (!closing.isEmpty()) {
      closing.pop().close();
    }
  }

  private MessagingServer start(UnaryOperator<MessagingServer.Builder> settings) throws Exception {
    EmbeddedBroker broker = EmbeddedEngine.inMemory().start();
    closing.push(broker);
    MessagingServer server = settings.apply(MessagingServer.builder(broker)).start();
    closing.push(server);
    return server;
  }

  private RpcChannel channel(MessagingServer server, Tls tls) {
    RpcChannel channel =
        RpcChannel.builder().address("localhost", server.port()).tls(tls).build();
    closing.push(channel);
    return channel;
  }

  private RpcChannel channel(MessagingServer server) {
    RpcChannel channel =
        RpcChannel.builder().address("127.0.0.1", server.port()).build();
    closing.push(channel);
    return channel;
  }

  /** A push and its handler, from one end to the other. */
  private static void assertWorks(RpcChannel channel) throws Exception {
    AtomicInteger handled = new AtomicInteger();
    try (Messaging messaging = Messaging.on(GrpcEngine.on(channel))) {
      messaging.pull(JOBS, job -> handled.incrementAndGet());
      messaging.push(JOBS, "a").get();
      Eventually.isTrue("the message", () -> handled.get() == 1);
    }
  }

  private static void assertRejected(RpcChannel channel, String text) {
    GrpcEngine engine =
        GrpcEngine.builder(channel).connectTimeout(Duration.ofSeconds(5)).build();
    assertThatThrownBy(() -> Messaging.on(engine))
        .isInstanceOf(BrokerAwayException.class)
        .hasMessageContaining(text);
  }

  @Test
  void clientsThatTrustTheCertificateAreServed(@TempDir Path directory) throws Exception {
    Authority authority = new Authority(directory.resolve("ours"));
    Authority other = new Authority(directory.resolve("other"));
    MessagingServer server = start(builder -> builder.tls(authority.server()));
    assertWorks(channel(server, authority.client()));
    assertRejected(channel(server, other.client()), "is not signed by a trusted authority");
    assertRejected(channel(server), "expected: tls on the channel if the server uses TLS");
    assertWorks(channel(server, authority.client()));
    Eventually.isTrue("nobody", () -> server.clients() == 0);
  }

  @Test
  void clientsWithoutCertificateAreRejectedWhereOneIsNeeded(@TempDir Path directory)
      throws Exception {
    Authority authority = new Authority(directory.resolve("ours"));
    Authority other = new Authority(directory.resolve("other"));
    MessagingServer server =
        start(builder -> builder.tls(authority.server().trusting(authority.certificate)));
    Tls mine = authority.client().presenting(authority.chain("client"), authority.key("client"));
    assertWorks(channel(server, mine));
    assertRejected(channel(server, authority.client()), "certificate");
    Tls foreign = authority.client().presenting(other.chain("client"), other.key("client"));
    assertRejected(channel(server, foreign), "certificate");
    Eventually.isTrue("nobody", () -> server.clients() == 0);
  }

  @Test
  void clientThatNeverSaysHelloIsDisconnected() throws Exception {
    MessagingServer server = start(builder -> builder.helloTimeout(Duration.ofMillis(200)));
    try (StubClient silent = StubClient.silent(server);
        StubClient mute = StubClient.mute(server)) {
      Eventually.isTrue("both", () -> server.clients() == 2);
      Status status = silent.status();
      assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
      assertThat(status.getDescription())
          .isEqualTo("no Hello within PT0.2S (expected: Hello as the first frame)");
      Eventually.isTrue("nobody", () -> server.clients() == 0);
      assertThat(mute.status().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
    }
    try (StubClient prompt = StubClient.connect(server)) {
      prompt.ping();
      assertThat(server.clients()).isEqualTo(1);
    }
    assertWorks(channel(server));
  }

  @Test
  void clientThatLeavesBeforeHelloLeavesNothing() throws Exception {
    MessagingServer server = start(builder -> builder);
    try (StubClient leaves = StubClient.silent(server);
        StubClient dies = StubClient.silent(server)) {
      Eventually.isTrue("both", () -> server.clients() == 2);
      leaves.complete();
      assertThat(leaves.status().getCode()).isEqualTo(Status.Code.OK);
      dies.cut();
      Eventually.isTrue("nobody", () -> server.clients() == 0);
    }
  }

  /** Silence, half a preface, another protocol, noise: others do not notice them. */
  @Test
  void peersThatSpeakNoHttp2AreDisconnected() throws Exception {
    MessagingServer server =
        start(builder -> builder.rpc(rpc -> rpc.handshakeTimeout(Duration.ofMillis(500))));
    List<Socket> peers = new ArrayList<>();
    for (String text : List.of("", "PRI * HTTP/2.0\r\n\r", "GET / HTTP/1.1\r\n\r\n", "\0\7\1")) {
      Socket peer = new Socket(InetAddress.getLoopbackAddress(), server.port());
      closing.push(peer);
      peer.setSoTimeout(10_000);
      peer.getOutputStream().write(text.getBytes(US_ASCII));
      peers.add(peer);
    }
    assertWorks(channel(server));
    for (Socket peer : peers) {
      assertEnds(peer);
    }
    Eventually.isTrue("nobody", () -> server.clients() == 0);
  }

  private static void assertEnds(Socket peer) throws IOException {
    try {
      while (peer.getInputStream().read() >= 0) {
        // what it is told
      }
    } catch (java.net.SocketException reset) {
      assertThat(reset).hasMessageContaining("reset");
    }
  }

  /** The end of an old connection is an outage like any other: what is pushed is handled. */
  @Test
  void messagesSurviveTheAgeOfConnections() throws Exception {
    MessagingServer server = start(builder -> builder.rpc(rpc ->
        rpc.maxConnectionAge(Duration.ofSeconds(1)).maxConnectionAgeGrace(Duration.ofMillis(100))));
    AtomicInteger restored = new AtomicInteger();
    MessagingListener listener = new MessagingListener() {
      @Override
      public void connectionRestored(String where, Duration outage) {
        restored.incrementAndGet();
      }
    };
    Map<String, Integer> handled = new ConcurrentHashMap<>();
    int pushed = 0;
    try (Messaging messaging =
        Messaging.builder(GrpcEngine.on(channel(server))).listener(listener).start()) {
      messaging
          .worker(JOBS)
          .concurrency(4)
          .start(job -> handled.merge(job.payload(), 1, Integer::sum));
      for (; restored.get() < 2; pushed++) {
        push(messaging, "job " + pushed);
      }
      int all = pushed;
      Eventually.isTrue("all", () -> handled.size() == all);
      assertThat(handled.values().stream().mapToInt(each -> each - 1).sum())
          .isLessThan(100); // what was on its way
    }
  }

  /** Pushes again what the old connection may have taken along. */
  private static void push(Messaging messaging, String job) throws Exception {
    while (true) {
      try {
        messaging.push(JOBS, job).get();
        return;
      } catch (ExecutionException e) {
        assertThat(e.getCause()).isInstanceOf(BrokerAwayException.class);
      }
    }
  }

  /** An authority, and what it has signed. */
  private static final class Authority {
    final Path certificate;
    private final Path directory;
    private final X509Bundle authority;

    Authority(Path directory) throws Exception {
      this.directory = Files.createDirectories(directory);
      authority = new CertificateBuilder()
          .ecp256()
          .subject("CN=authority " + directory.getFileName())
          .setIsCertificateAuthority(true)
          .buildSelfSigned();
      certificate = Files.writeString(directory.resolve("ca.pem"), authority.getCertificatePEM());
      issue(
          "server",
          new CertificateBuilder()
              .ecp256()
              .subject("CN=server")
              .addSanDnsName("localhost")
              .addExtendedKeyUsageServerAuth());
      issue(
          "client",
          new CertificateBuilder().ecp256().subject("CN=client").addExtendedKeyUsageClientAuth());
    }

    private void issue(String name, CertificateBuilder builder) throws Exception {
      X509Bundle issued = builder.buildIssuedBy(authority);
      Files.writeString(chain(name), issued.getCertificatePathPEM());
      Files.writeString(key(name), issued.getPrivateKeyPEM());
    }

    Path chain(String name) {
      return directory.resolve(name + ".pem");
    }

    Path key(String name) {
      return directory.resolve(name + ".key");
    }

    Tls server() {
      return Tls.server(chain("server"), key("server"));
    }

    Tls client() {
      return Tls.client().trusting(certificate);
    }
  }
}
