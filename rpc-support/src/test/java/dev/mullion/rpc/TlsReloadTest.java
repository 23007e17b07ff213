package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.net.Tls;
import dev.mullion.net.TlsState;
import dev.mullion.net.base.TlsReloader;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.lang.ref.WeakReference;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import javax.net.ssl.SSLSession;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** New files are taken by connections to come; nothing happens to those that are open. */
class TlsReloadTest extends RpcTest {
  private static final Duration OFTEN = Duration.ofMillis(20);

  @TempDir
  Path directory;

  private Certificates certificates;

  /** The numbers of the certificates that the clients of each call have shown. */
  private final List<BigInteger> shownByClients = Collections.synchronizedList(new ArrayList<>());

  @BeforeEach
  void makeCertificates() throws Exception {
    certificates = Certificates.in(directory.resolve("own"));
  }

  private RpcServer server(Tls tls) throws IOException {
    return server(tls, 0);
  }

  private RpcServer server(Tls tls, int port) throws IOException {
    return start(RpcServer.builder()
        .port(port)
        .addService(new GreeterService())
        .addService(TestService.bidi(TlsReloadTest::echo))
        .intercept(new ServerInterceptor() {
          @Override
          public <Q, R> ServerCall.Listener<Q> interceptCall(
              ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
            SSLSession session = call.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
            if (session != null && tls.authorities() != null) {
              shownByClients.add(peer(session));
            }
            return next.startCall(call, headers);
          }
        })
        .tls(tls));
  }

  private static StreamObserver<HelloRequest> echo(StreamObserver<HelloReply> replies) {
    return new StreamObserver<>() {
      @Override
      public void onNext(HelloRequest request) {
        replies.onNext(HelloReply.newBuilder().setMessage(request.getName()).build());
      }

      @Override
      public void onError(Throwable error) {}

      @Override
      public void onCompleted() {
        replies.onCompleted();
      }
    };
  }

  private static BigInteger peer(SSLSession session) {
    try {
      return ((X509Certificate) session.getPeerCertificates()[0]).getSerialNumber();
    } catch (IOException unverified) {
      throw new AssertionError(unverified);
    }
  }

  private RpcChannel channel(RpcServer server, Tls tls) {
    return closing(
        RpcChannel.builder().target("localhost:" + server.port()).tls(tls).build());
  }

  private static String greeting(Channel channel) {
    return GreeterClient.of(channel).sayHello("world");
  }

  /** Returns the number of the server's certificate that a call over the channel sees. */
  private static BigInteger seen(Channel channel) {
    return peer(session(channel));
  }

  private static SSLSession session(Channel channel) {
    BlockingQueue<SSLSession> sessions = new LinkedBlockingQueue<>();
    ClientInterceptor noting = new ClientInterceptor() {
      @Override
      public <Q, R> ClientCall<Q, R> interceptCall(
          MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
        return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
          @Override
          public void start(Listener<R> listener, Metadata headers) {
            super.start(
                new SimpleForwardingClientCallListener<>(listener) {
                  @Override
                  public void onHeaders(Metadata came) {
                    sessions.add(getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION));
                    super.onHeaders(came);
                  }
                },
                headers);
          }
        };
      }
    };
    assertThat(greeting(io.grpc.ClientInterceptors.intercept(channel, noting)))
        .isEqualTo("Hello, world!");
    return sessions.remove();
  }

  /** A stream that stays open, over which each message comes back. */
  private static final class OpenStream implements StreamObserver<HelloReply> {
    private final BlockingQueue<String> events = new LinkedBlockingQueue<>();
    private final StreamObserver<HelloRequest> requests;

    OpenStream(Channel channel) {
      requests = ClientCalls.asyncBidiStreamingCall(
          channel.newCall(TestService.BIDI, CallOptions.DEFAULT), this);
    }

    @Nullable
    String echoed(String text) throws InterruptedException {
      requests.onNext(HelloRequest.newBuilder().setName(text).build());
      return events.poll(20, TimeUnit.SECONDS);
    }

    @Nullable
    String completed() throws InterruptedException {
      requests.onCompleted();
      return events.poll(20, TimeUnit.SECONDS);
    }

    @Override
    public void onNext(HelloReply reply) {
      events.add(reply.getMessage());
    }

    @Override
    public void onError(Throwable error) {
      events.add(error.toString());
    }

    @Override
    public void onCompleted() {
      events.add("completed");
    }
  }

  @Test
  void serverTakesANewCertificateWhileAStreamStaysOpen() throws Exception {
    BigInteger first = certificates.renewServer();
    RpcServer server = server(certificates.server().reloadInterval(OFTEN));
    RpcChannel before = channel(server, certificates.client());
    OpenStream stream = new OpenStream(before);
    assertThat(stream.echoed("one")).isEqualTo("one");
    assertThat(seen(before)).isEqualTo(first);

    BigInteger second = certificates.renewServer();
    Await.until(
        "new files are taken",
        () -> server.tlsState().reloads() > 0
            && server.tlsState().failure() == null
            && seen(newConnection(server)).equals(second));

    assertThat(stream.echoed("two")).isEqualTo("two");
    assertThat(seen(before)).as("the connection that is open").isEqualTo(first);
    assertThat(stream.completed()).isEqualTo("completed");
    assertThat(second).isNotEqualTo(first);
  }

  private RpcChannel newConnection(RpcServer server) {
    return channel(server, certificates.client());
  }

  /** With two servers, of which the second one is there only when the files are new. */
  @Test
  void channelTakesANewCertificateWhileAStreamStaysOpen() throws Exception {
    BigInteger first = certificates.renewClient();
    RpcServer one = server(certificates.mutualServer());
    int port = RpcChannelTest.freePort();
    RpcChannel channel = closing(RpcChannel.builder()
        .address("localhost", one.port())
        .address("localhost", port)
        .tls(certificates.mutualClient().reloadInterval(OFTEN))
        .connect());
    OpenStream stream = new OpenStream(channel);
    assertThat(stream.echoed("one")).isEqualTo("one");
    assertThat(shownByClients).containsOnly(first);

    BigInteger second = certificates.renewClient();
    Await.until("new files are taken", () -> inUse(channel));
    RpcServer two = server(certificates.mutualServer(), port);
    Await.until("both are called", () -> {
      greeting(channel);
      return two.counters().callsSucceeded() > 0;
    });

    assertThat(shownByClients).contains(first, second);
    assertThat(stream.echoed("two")).isEqualTo("two");
    assertThat(stream.completed()).isEqualTo("completed");
    channel.close();
  }

  private static boolean inUse(RpcChannel channel) {
    return channel.tlsState().reloads() > 0 && channel.tlsState().failure() == null;
  }

  @Test
  void fileThatIsBrokenLeavesTheOldOneInUse() throws Exception {
    BigInteger first = certificates.renewServer();
    String key = Files.readString(certificates.serverKey);
    RpcServer server = server(certificates.server().reloadInterval(OFTEN));
    List<String> logged = Collections.synchronizedList(new ArrayList<>());
    closing(logging(logged));
    certificates.write("server.key", "half of it");
    Await.until("it is noticed", () -> server.tlsState().failedReloads() == 1);

    String text = "privateKey: " + certificates.serverKey
        + " contains no key (expected: PKCS #8 as PEM, BEGIN PRIVATE KEY)";
    assertThat(server.tlsState()).isEqualTo(new TlsState(0, 1, text));
    assertThat(server.counters().tlsReloadsFailed()).isEqualTo(1);
    assertThat(seen(newConnection(server))).isEqualTo(first);
    assertThatExceptionOfType(IOException.class).isThrownBy(server::reloadTls).withMessage(text);

    certificates.write("server.key", key);
    Await.until("it is whole again", () -> server.tlsState().failure() == null);
    BigInteger second = certificates.renewServer();
    Await.until("new files are taken", () -> seen(newConnection(server)).equals(second));
    assertThat(logged)
        .filteredOn(line -> line.contains("half") || line.contains("contains no key"))
        .as("said once, not at each interval")
        .containsExactly(
            "WARNING: changed TLS files cannot be used; the previous ones stay in use: " + text);
    Await.until(
        "it is said",
        () -> logged.get(logged.size() - 1).startsWith("INFO: changed TLS files are in use: "));
  }

  private static AutoCloseable logging(List<String> logged) {
    Logger logger = Logger.getLogger(Tls.class.getName());
    Handler handler = new Handler() {
      @Override
      public void publish(LogRecord entry) {
        String text = new java.util.logging.SimpleFormatter().formatMessage(entry);
        logged.add(entry.getLevel() + ": " + text);
      }

      @Override
      public void flush() {}

      @Override
      public void close() {}
    };
    logger.addHandler(handler);
    logger.setLevel(Level.INFO);
    return () -> logger.removeHandler(handler);
  }

  @Test
  void failuresAreMetersOfBothSides() throws Exception {
    SimpleMeterRegistry registry = new SimpleMeterRegistry();
    RpcServer server = start(RpcServer.builder()
        .addService(new GreeterService())
        .tls(certificates.server())
        .observe(MicrometerObserver.of(registry)));
    RpcChannel channel = closing(RpcChannel.builder()
        .target("localhost:" + server.port())
        .tls(certificates.mutualClient())
        .observe(MicrometerObserver.of(registry))
        .build());
    certificates.write("server.key", "half of it");
    certificates.write("client.key", "half of it");

    assertThatExceptionOfType(IOException.class).isThrownBy(server::reloadTls);
    assertThatExceptionOfType(IOException.class).isThrownBy(channel::reloadTls);

    assertThat(registry.get("mullion.rpc.tls.reloads.failed").functionCounter().count())
        .isEqualTo(1);
    assertThat(registry.get("mullion.rpc.client.tls.reloads.failed").counter().count())
        .isEqualTo(1);
  }

  @Test
  void filesAreTakenOnDemandToo() throws Exception {
    RpcServer server = server(certificates.server().reloadInterval(Duration.ZERO));
    RpcChannel channel = channel(server, certificates.mutualClient().reloadInterval(Duration.ZERO));

    assertThat(server.reloadTls()).isFalse();
    assertThat(channel.reloadTls()).isFalse();
    BigInteger second = certificates.renewServer();
    certificates.renewClient();
    assertThat(server.reloadTls()).isTrue();
    assertThat(channel.reloadTls()).isTrue();

    assertThat(server.tlsState()).isEqualTo(new TlsState(1, 0, null));
    assertThat(channel.tlsState()).isEqualTo(new TlsState(1, 0, null));
    assertThat(seen(channel)).isEqualTo(second);
  }

  @Test
  void withoutTlsThereIsNothingToReload() throws Exception {
    RpcServer server = start(RpcServer.builder().addService(new GreeterService()));
    RpcChannel channel =
        closing(RpcChannel.builder().address("localhost", server.port()).build());

    for (ThrowingCallable asking : List.<ThrowingCallable>of(server::reloadTls, server::tlsState)) {
      assertThatIllegalStateException()
          .isThrownBy(asking)
          .withMessage("server has no TLS (expected: tls set in its builder)");
    }
    for (ThrowingCallable asking :
        List.<ThrowingCallable>of(channel::reloadTls, channel::tlsState)) {
      assertThatIllegalStateException()
          .isThrownBy(asking)
          .withMessage("channel has no TLS (expected: tls set in its builder)");
    }
  }

  /** Each had a thread of its own, and one that nobody closed had it for ever. */
  @Test
  void oneThreadLooksAtAllFilesAndNoneAfterTheEnd() throws Exception {
    RpcServer server = server(certificates.server().reloadInterval(OFTEN));
    RpcChannel channel = channel(server, certificates.client().reloadInterval(OFTEN));
    for (int i = 0; i < 5; i++) {
      forget(server);
    }
    assertThat(greeting(channel)).isEqualTo("Hello, world!");
    Await.until("the files are looked at", () -> reloading() == 1);

    channel.close();
    awaitNoClients(server);
    server.close();

    Await.until("those that are forgotten are collected, and nothing is looked at", () -> {
      System.gc();
      return reloading() == 0;
    });
  }

  private void forget(RpcServer server) {
    RpcChannel forgotten = RpcChannel.builder()
        .target("localhost:" + server.port())
        .tls(certificates.client().reloadInterval(OFTEN))
        .build();
    assertThat(forgotten.tlsState().failure()).isNull();
  }

  /**
   * A server that nobody refers to still runs, and gRPC lets go of no channel that is not closed.
   */
  @Test
  void filesAreLookedAtAsLongAsAServerHasTheContext() throws Exception {
    TlsReloader running = RpcTls.read(certificates.server(), new LongAdder());
    SslContext ofServer = running.context();
    WeakReference<TlsReloader> server = new WeakReference<>(running);
    running = RpcTls.read(certificates.client(), new LongAdder());
    SslContext ofChannel = running.context();
    WeakReference<TlsReloader> channel = new WeakReference<>(running);
    running = RpcTls.read(certificates.client(), new LongAdder());

    Await.until("that of the channel is collected", () -> {
      System.gc();
      return channel.get() == null;
    });
    assertThat(server.get()).isNotNull();
    assertThat(
            List.of(ofServer.isServer(), ofChannel.isClient(), running.context().isClient()))
        .containsOnly(true);
  }

  @Test
  void certificateThatHasExpiredIsNotTaken() throws Exception {
    RpcServer server = server(certificates.server().reloadInterval(Duration.ZERO));
    RpcChannel channel = channel(server, certificates.mutualClient().reloadInterval(Duration.ZERO));
    BigInteger first = seen(channel);
    Instant now = Instant.now();

    certificates.renewServer(Certificates.ofServer("localhost")
        .notBefore(now.minus(Duration.ofDays(3)))
        .notAfter(now.minus(Duration.ofDays(1))));
    assertThatExceptionOfType(IOException.class)
        .isThrownBy(server::reloadTls)
        .withMessageStartingWith("certificateChain: " + certificates.serverChain
            + " has expired, certificate of CN=server: NotAfter: ");
    certificates.renewServer(Certificates.ofServer("localhost")
        .notBefore(now.plus(Duration.ofDays(1)))
        .notAfter(now.plus(Duration.ofDays(3))));
    assertThatExceptionOfType(IOException.class)
        .isThrownBy(server::reloadTls)
        .withMessageStartingWith("certificateChain: " + certificates.serverChain
            + " is not valid yet, certificate of CN=server: NotBefore: ");

    assertThat(server.tlsState().failedReloads()).isEqualTo(2);
    assertThat(server.tlsState().failure()).contains("is not valid yet");
    assertThat(server.counters().tlsReloadsFailed()).isEqualTo(2);
    assertThat(seen(channel)).isEqualTo(first);
    BigInteger valid = certificates.renewServer();
    assertThat(server.reloadTls()).isTrue();
    assertThat(seen(channel(server, certificates.client()))).isEqualTo(valid);
  }

  private static long reloading() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("mullion-tls-reload"))
        .count();
  }

  @Test
  void channelTrustsANewAuthority() throws Exception {
    Certificates others = Certificates.in(directory.resolve("others"));
    RpcServer server = server(others.server());
    RpcChannel channel = channel(server, certificates.client().reloadInterval(OFTEN));
    assertThat(text(failure(() -> greeting(channel))))
        .contains("the server's certificate is not signed by a trusted authority");

    certificates.write("authorities.pem", Files.readString(others.authorities));

    Await.until("it is trusted", () -> failure(() -> greeting(channel)).isOk());
  }

  /** It once was let in: a session that is continued has its certificate checked no more. */
  @Test
  void clientThatIsNotTrustedAnyMoreHasNoSessionToComeBackWith() throws Exception {
    RpcServer server = server(certificates.mutualServer().reloadInterval(Duration.ZERO));
    SslContext ofClient =
        RpcTls.read(certificates.mutualClient(), new LongAdder()).newest();
    SSLSession first = session(plain(server, ofClient));
    SSLSession continued = session(plain(server, ofClient));
    assertThat(continued.getCreationTime()).isEqualTo(first.getCreationTime());

    Certificates others = Certificates.in(directory.resolve("others"));
    certificates.write("authorities.pem", Files.readString(others.authorities));
    assertThat(server.reloadTls()).isTrue();

    assertThat(failure(() -> greeting(plain(server, ofClient))).isOk()).isFalse();
  }

  private ManagedChannel plain(RpcServer server, SslContext context) {
    ManagedChannel channel = NettyChannelBuilder.forAddress("localhost", server.port())
        .sslContext(context)
        .build();
    closing(() -> channel.shutdownNow().awaitTermination(10, TimeUnit.SECONDS));
    return channel;
  }
}
