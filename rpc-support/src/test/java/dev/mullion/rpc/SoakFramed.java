package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameReader;
import dev.mullion.framing.FrameWriter;
import dev.mullion.framing.tcp.FrameNotSentException;
import dev.mullion.framing.tcp.FramedClient;
import dev.mullion.framing.tcp.FramedClientBuilder;
import dev.mullion.framing.tcp.FramedConnection;
import dev.mullion.framing.tcp.FramedServer;
import dev.mullion.framing.tcp.FramedServerBuilder;
import dev.mullion.framing.tcp.Reconnect;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.framing.testing.Threads;
import dev.mullion.net.Tls;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** Framed servers of each kind, and the clients that call them. */
final class SoakFramed implements AutoCloseable {
  private static final Duration IDLE = Duration.ofSeconds(3);
  private static final FrameFormat FORMAT =
      FrameFormat.builder().maxFrameLength(64 * 1024).build();
  private static final byte[] BYE = "bye".getBytes(UTF_8);
  private static final int PATIENCE_MILLIS = 60_000;

  private final FramedServer batches;
  private final FramedServer secure;
  private final FramedServer unix;
  private final FramedServer ticker;
  private final Path path;
  private final Tls clientTls;

  SoakFramed(Path directory, Certificates certificates) throws IOException {
    path = directory.resolve("framed.sock");
    clientTls = Tls.client().trusting(certificates.authorities);
    batches = limited()
        .batchHandler(() -> (connection, batch) -> connection.reply(batch.encoded()))
        .start();
    secure = limited()
        .handler(SoakFramed::echoUntilBye)
        .tls(Tls.server(certificates.serverChain, certificates.serverKey)
            .handshakeTimeout(Duration.ofSeconds(5)))
        .start();
    unix = limited()
        .path(path)
        .reactiveHandler(connection -> connection.publisher().subscribe(connection.subscriber()))
        .start();
    ticker = limited().handler(SoakFramed::tick).start();
  }

  private static FramedServerBuilder limited() {
    return FramedServer.builder()
        .format(FORMAT)
        .maxConnections(200)
        .maxHandlerThreads(64)
        .idleTimeout(IDLE)
        .frameTimeout(Duration.ofSeconds(3))
        .closeTimeout(Duration.ofSeconds(5))
        .inboundHighWaterMark(16 * 1024)
        .outboundHighWaterMark(32 * 1024)
        .outboundLowWaterMark(8 * 1024)
        .memoryBudget(4 << 20);
  }

  private static void echoUntilBye(FramedConnection connection) throws IOException {
    for (byte[] frame : connection) {
      connection.send(frame);
      if (Arrays.equals(frame, BYE)) {
        return;
      }
    }
  }

  /** Sends numbers, and waits for none of the peer. */
  private static void tick(FramedConnection connection) throws IOException {
    for (int i = 0; connection.isOpen(); i++) {
      connection.send(ByteBuffer.allocate(4).putInt(0, i));
      LockSupport.parkNanos(50_000_000);
    }
  }

  void clients(SoakRun run) {
    run.add("framed.requests", 4, this::requests);
    run.add("framed.sends", 4, this::cancelledSends);
    run.add("framed.halfClose", 4, this::halfClose);
    run.add("framed.slowWriter", 2, this::slowWriter);
    run.add("framed.slowReader", 2, this::slowReader);
    run.add("framed.onlyReceives", 1, this::onlyReceives);
    run.add("framed.reconnects", 2, this::reconnects);
    run.add("framed.garbage", 4, this::garbage);
    run.add("framed.halfFrame", 1, this::halfFrame);
    run.add("framed.unread", 2, this::unread);
    run.add("framed.resets", 4, this::resets);
    run.add("framed.wrongProtocol", 2, this::wrongProtocol);
  }

  private FramedClientBuilder client(Random random) {
    FramedClientBuilder builder = FramedClient.builder().format(FORMAT);
    return switch (random.nextInt(3)) {
      case 0 -> builder.port(batches.port());
      case 1 -> builder.port(secure.port()).tls(clientTls);
      default -> builder.path(path);
    };
  }

  private static byte[] frame(int number, int length) {
    byte[] frame = new byte[Math.max(4, length)];
    ByteBuffer.wrap(frame).putInt(0, number);
    if (frame.length > 4) {
      frame[frame.length - 1] = (byte) number;
    }
    return frame;
  }

  /** Some are cancelled, time out or find no room; each reply is the one to its request. */
  private void requests(Random random) throws Exception {
    int high = 1024 << random.nextInt(6);
    try (FramedClient client = client(random)
        .outboundLowWaterMark(high / 2)
        .outboundHighWaterMark(high)
        .maxRequestsInFlight(64)
        .connect()) {
      List<byte[]> sent = new ArrayList<>();
      List<CompletableFuture<byte[]>> replies = new ArrayList<>();
      List<Boolean> hasty = new ArrayList<>();
      for (int i = 0; i < 300; i++) {
        byte[] request = frame(i, random.nextInt(100) == 0 ? 70_000 : random.nextInt(4_000));
        boolean inHaste = random.nextInt(20) == 0;
        CompletableFuture<byte[]> reply =
            inHaste ? client.request(request, Duration.ofMillis(1)) : client.request(request);
        sent.add(request);
        replies.add(reply);
        boolean cancelled = random.nextInt(10) == 0 && reply.cancel(false);
        hasty.add(inHaste || cancelled);
        if (random.nextInt(30) == 0) {
          check(replies.get(random.nextInt(replies.size())), null, true);
        }
      }
      for (int i = 0; i < sent.size(); i++) {
        check(replies.get(i), sent.get(i), hasty.get(i) || sent.get(i).length > 64 * 1024);
      }
    }
  }

  private static void check(
      CompletableFuture<byte[]> reply, byte @Nullable [] expected, boolean mayFail)
      throws Exception {
    try {
      byte[] seen = reply.get(PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
      if (expected != null) {
        assertThat(seen).isEqualTo(expected);
      }
    } catch (CancellationException e) {
      assertThat(mayFail).isTrue();
    } catch (ExecutionException e) {
      if (!(e.getCause() instanceof FrameNotSentException)) {
        assertThat(mayFail).as("may fail with " + e.getCause()).isTrue();
      }
    }
  }

  /** What was cancelled in time is not sent; all else comes back in order. */
  private void cancelledSends(Random random) throws Exception {
    try (FramedClient client =
        client(random).outboundLowWaterMark(0).outboundHighWaterMark(4 * 1024).connect()) {
      FramedConnection connection = client.connection();
      List<Integer> expected = new ArrayList<>();
      List<CompletableFuture<Void>> sends = new ArrayList<>();
      int numbers = 200;
      CompletableFuture<List<Integer>> received = Threads.call(() -> numbers(connection));
      for (int i = 0; i < numbers; i++) {
        CompletableFuture<Void> send = connection.sendAsync(frame(i, random.nextInt(2_000)));
        sends.add(send);
        if (random.nextInt(8) == 0) {
          send.cancel(false);
        }
      }
      for (int i = 0; i < numbers; i++) {
        try {
          sends.get(i).get(PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
          expected.add(i);
        } catch (CancellationException notSent) {
          // By this test.
        } catch (ExecutionException refused) {
          assertThat(refused).hasCauseInstanceOf(FrameNotSentException.class);
        }
      }
      connection.send(frame(-1, 4));
      assertThat(received.get(PATIENCE_MILLIS, TimeUnit.MILLISECONDS)).isEqualTo(expected);
    }
  }

  private static List<Integer> numbers(FramedConnection connection) {
    List<Integer> numbers = new ArrayList<>();
    for (byte[] frame : connection) {
      int number = ByteBuffer.wrap(frame).getInt();
      if (number < 0) {
        break;
      }
      numbers.add(number);
    }
    return numbers;
  }

  /** Sends all, ends its side, and gets all replies and the end. */
  private void halfClose(Random random) throws Exception {
    int number = 1 + random.nextInt(200);
    int length = random.nextInt(2_000);
    if (random.nextBoolean()) {
      try (Socket socket = connect(batches.port())) {
        sendAndEnd(socket.getOutputStream(), number, length, socket::shutdownOutput);
        expect(FrameReader.of(socket.getInputStream(), FORMAT), number);
      }
    } else {
      try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
        Threads.run(() -> {
          try {
            FrameWriter writer = FrameWriter.of(channel, FORMAT);
            writeAll(writer, number, length);
            channel.shutdownOutput();
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
        expect(FrameReader.of(channel, FORMAT), number);
      }
    }
  }

  private static void sendAndEnd(OutputStream out, int number, int length, AutoCloseable end) {
    Threads.run(() -> {
      try {
        writeAll(FrameWriter.of(out, FORMAT), number, length);
        end.close();
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    });
  }

  private static void writeAll(FrameWriter writer, int number, int length) throws IOException {
    for (int i = 0; i < number; i++) {
      writer.write(frame(i, length));
    }
    writer.flush();
  }

  private static void expect(FrameReader reader, int number) throws IOException {
    for (int i = 0; i < number; i++) {
      byte[] frame = reader.read();
      assertThat(frame).as("frame %s of %s", i, number).isNotNull();
      assertThat(ByteBuffer.wrap(frame).getInt()).isEqualTo(i);
    }
    assertThat(reader.read()).isNull();
  }

  private static Socket connect(int port) throws IOException {
    Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setSoTimeout(PATIENCE_MILLIS);
    socket.setTcpNoDelay(true);
    return socket;
  }

  private void slowWriter(Random random) throws Exception {
    try (Socket socket = connect(batches.port())) {
      byte[] wire = wire(random.nextInt(60));
      for (byte each : wire) {
        socket.getOutputStream().write(each);
        LockSupport.parkNanos(5_000_000);
      }
      assertThat(socket.getInputStream().readNBytes(wire.length)).isEqualTo(wire);
    }
  }

  private static byte[] wire(int length) {
    return ByteBuffer.allocate(4 + length).putInt(length).array();
  }

  /** Reads late, with more in flight than any buffer holds, and gets everything in order. */
  private void slowReader(Random random) throws Exception {
    int number = 100 + random.nextInt(300);
    try (Socket socket = connect(batches.port())) {
      sendAndEnd(socket.getOutputStream(), number, 16_000, socket::shutdownOutput);
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(random.nextInt(1_000)));
      expect(FrameReader.of(socket.getInputStream(), FORMAT), number);
    }
  }

  private void onlyReceives(Random random) throws Exception {
    try (FramedClient client =
        FramedClient.builder().format(FORMAT).port(ticker.port()).connect()) {
      long end =
          System.nanoTime() + IDLE.plusMillis(500 + random.nextInt(1_000)).toNanos();
      for (int i = 0; System.nanoTime() - end < 0; i++) {
        byte[] frame = client.connection().receive(Duration.ofMillis(PATIENCE_MILLIS));
        assertThat(frame).as("number %s", i).isNotNull();
        assertThat(ByteBuffer.wrap(frame).getInt()).isEqualTo(i);
      }
    }
  }

  /** Is sent away, comes back, and is served. */
  private void reconnects(Random random) throws Exception {
    try (FramedClient client = FramedClient.builder()
        .format(FORMAT)
        .port(secure.port())
        .tls(clientTls)
        .reconnect(Reconnect.builder().firstDelay(Duration.ofMillis(10)).build())
        .connect()) {
      for (int i = 0; i < 1 + random.nextInt(3); i++) {
        assertThat(client.request(BYE).get(PATIENCE_MILLIS, TimeUnit.MILLISECONDS))
            .isEqualTo(BYE);
        byte[] request = frame(i, 100);
        Await.until("the client is served again", () -> isServed(client, request));
      }
    }
  }

  private static boolean isServed(FramedClient client, byte[] request) throws Exception {
    try {
      assertThat(client
              .request(request, Duration.ofSeconds(5))
              .get(PATIENCE_MILLIS, TimeUnit.MILLISECONDS))
          .isEqualTo(request);
      return true;
    } catch (ExecutionException e) {
      // There is no connection yet, or the old one.
      assertThat(e.getCause()).isInstanceOfAny(IOException.class, TimeoutException.class);
      return false;
    }
  }

  private void garbage(Random random) throws Exception {
    byte[] bytes = new byte[random.nextInt(20_000)];
    random.nextBytes(bytes);
    try (Socket socket = connect(random.nextBoolean() ? batches.port() : secure.port())) {
      SoakRun.attack(() -> {
        socket.getOutputStream().write(bytes);
        if (random.nextBoolean()) {
          socket.shutdownOutput();
        }
        drain(socket.getInputStream());
      });
    }
  }

  private int anyPort(Random random) {
    return List.of(batches, secure, ticker).get(random.nextInt(3)).port();
  }

  /** Is cut: by the frame's timeout, or as idle. */
  private void halfFrame(Random random) throws Exception {
    try (Socket socket = connect(random.nextBoolean() ? batches.port() : secure.port())) {
      SoakRun.attack(() -> {
        socket.getOutputStream().write(wire(100), 0, random.nextInt(100));
        drain(socket.getInputStream());
      });
    }
  }

  private static void drain(InputStream in) throws IOException {
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MILLIS);
    while (in.read(new byte[8 * 1024]) >= 0) {
      if (System.nanoTime() - end > 0) {
        throw new AssertionError("the server has not ended the connection");
      }
      if (in.available() == 0) {
        LockSupport.parkNanos(1_000_000);
      }
    }
  }

  /** Reads nothing of what is sent to it, for a while. */
  private void unread(Random random) throws Exception {
    try (SocketChannel channel = SocketChannel.open(socketAddress(random))) {
      channel.configureBlocking(false);
      ByteBuffer wire = ByteBuffer.wrap(wire(8_000));
      SoakRun.attack(() -> {
        for (int i = 0; i < 300; i++) {
          wire.rewind();
          if (channel.write(wire) == 0) {
            LockSupport.parkNanos(5_000_000);
          }
        }
      });
    }
  }

  private SocketAddress socketAddress(Random random) {
    return random.nextBoolean()
        ? UnixDomainSocketAddress.of(path)
        : new InetSocketAddress(InetAddress.getLoopbackAddress(), batches.port());
  }

  private void resets(Random random) throws Exception {
    for (int i = 0; i < 20; i++) {
      try (Socket socket = connect(anyPort(random))) {
        socket.setSoLinger(random.nextBoolean(), 0);
        SoakRun.attack(() -> socket.getOutputStream().write(wire(50), 0, random.nextInt(54)));
      }
    }
  }

  /** TLS where there is none, and none where it is. */
  private void wrongProtocol(Random random) throws Exception {
    boolean withTls = random.nextBoolean();
    FramedClientBuilder builder = FramedClient.builder().connectTimeout(Duration.ofSeconds(10));
    SoakRun.attack(() -> {
      try (FramedClient client = withTls
          ? builder.port(batches.port()).tls(clientTls).connect()
          : builder.port(secure.port()).connect()) {
        byte[] reply = client.request(frame(1, 10), Duration.ofSeconds(5)).get();
        throw new AssertionError("a reply of " + reply.length + " bytes");
      } catch (ExecutionException e) {
        // In whatever way.
        assertThat(e.getCause()).isInstanceOfAny(IOException.class, TimeoutException.class);
      }
    });
  }

  private List<FramedServer> servers() {
    return List.of(batches, secure, unix, ticker);
  }

  void awaitQuiet() throws Exception {
    for (FramedServer server : servers()) {
      Await.until(
          "no connection is open: " + server.counters(),
          () -> server.counters().connectionsOpen() == 0);
      Await.until("no memory is held: " + server.memoryUsed(), () -> server.memoryUsed() == 0);
    }
  }

  String summary() {
    StringBuilder text = new StringBuilder();
    for (FramedServer server : servers()) {
      text.append(server.address()).append(' ').append(server.counters()).append('\n');
    }
    return text.toString();
  }

  @Override
  public void close() {
    servers().forEach(FramedServer::close);
  }
}
