package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.framing.testing.Threads;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What peers do that mean no good is counted, and a few lines in the log: 30 peers that spoke
 * HTTP/1 made 811 lines, and one connection 320,000 in 9 s.
 */
class HostilePeersTest extends RpcTest {
  private static final int PEERS = 30;
  private static final int FRAMES = 60;
  private static final String PREFACE =
      hex("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + " 000000 04 00 00000000";
  private static final String CALL = field(":method", "POST")
      + field(":scheme", "http")
      + field(":path", "/hello.Greeter/SayHello")
      + field("content-type", "application/grpc");
  private static final Pattern PORT = Pattern.compile("/127\\.0\\.0\\.1:(\\d+)");
  private static final String PING = "000008 06 00 00000000 0102030405060708";

  /**
   * What each of the peers sends, and the counter that shows it, if they are refused before any
   * call.
   */
  private enum Peer {
    HTTP1(hex("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "connectionsOfOtherProtocols"),
    TLS("16030100050102030405", "connectionsOfOtherProtocols"),
    OTHER_FRAMES("0000000568656c6c6f", "connectionsOfOtherProtocols"),
    PREFACE_WITHOUT_SETTINGS(
        hex("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + PING, "connectionsOfOtherProtocols"),
    SILENT("", "connectionsTimedOut"),
    HALF_A_PREFACE(hex("PRI * HT"), "connectionsTimedOut"),
    PREFACE_ONLY(hex("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "connectionsTimedOut"),
    FRAME_TOO_LONG(PREFACE + "7fffff 00 00 00000001", null),
    DATA_OF_NO_STREAM(PREFACE + "000001 00 00 00000001 00", null),
    BAD_HPACK(PREFACE + "000004 01 04 00000001 ffffffff", null),
    BAD_TIMEOUTS(
        PREFACE, headers(CALL + field("te", "trailers") + field("grpc-timeout", "abc")), null),
    UPPER_CASE_NAMES(PREFACE, headers(CALL + field("BAD", "x")), null),
    NO_TRAILERS(PREFACE, headers(CALL), null),
    BAD_BINARY(PREFACE, headers(CALL + field("te", "trailers") + field("x-bin", "???")), null),
    BAD_MESSAGES(
        PREFACE, headers(CALL + field("te", "trailers")) + " 000005 00 01 STREAM 0900000000", null),
    CUT_MESSAGES(
        PREFACE,
        headers(CALL + field("te", "trailers")) + " 000006 00 01 STREAM 000000000901",
        null),
    NO_WINDOW(
        PREFACE, headers(CALL + field("te", "trailers")) + " 000004 08 00 STREAM 00000000", null),
    WINDOW_TOO_LARGE(
        PREFACE, headers(CALL + field("te", "trailers")) + " 000004 08 00 STREAM 7fffffff", null),
    PING_ANSWERS(PREFACE, "000008 06 01 00000000 0102030405060708", null);

    private final String begin;
    private final String repeated;
    private final @Nullable String counter;

    Peer(String begin, @Nullable String counter) {
      this(begin, "", counter);
    }

    Peer(String begin, String repeated, @Nullable String counter) {
      this.begin = begin;
      this.repeated = repeated;
      this.counter = counter;
    }

    /** Frames are repeated, each for a stream of its own. */
    byte[] bytes() {
      StringBuilder all = new StringBuilder(begin);
      for (int i = 0; i < FRAMES && !repeated.isEmpty(); i++) {
        all.append(repeated.replace("STREAM", String.format("%08x", 2 * i + 1)));
      }
      return HexFormat.of()
          .parseHex(all.append(begin.startsWith(PREFACE) ? PING : "").toString().replace(" ", ""));
    }
  }

  private static String hex(String text) {
    return HexFormat.of().formatHex(text.getBytes(US_ASCII));
  }

  /** A header that is not in any table. */
  private static String field(String name, String value) {
    return String.format("00%02x%s%02x%s", name.length(), hex(name), value.length(), hex(value));
  }

  private static String headers(String block) {
    return String.format(" %06x 01 04 STREAM %s", block.length() / 2, block);
  }

  @TempDir
  Path directory;

  private final List<LogRecord> records = new CopyOnWriteArrayList<>();

  @BeforeEach
  void listenToTheLog() {
    Handler handler = new Handler() {
      @Override
      public void publish(LogRecord entry) {
        if (entry.getLevel().intValue() >= Level.INFO.intValue()) {
          records.add(entry);
        }
      }

      @Override
      public void flush() {}

      @Override
      public void close() {}
    };
    Logger.getLogger("").addHandler(handler);
    closing(() -> Logger.getLogger("").removeHandler(handler));
  }

  /** Sends, and reads until the server has closed the connection or answered a ping. */
  private static void attack(int port, byte[] bytes) throws IOException {
    attack(port, bytes, new ArrayList<>());
  }

  private static void attack(int port, byte[] bytes, List<Integer> from) throws IOException {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      from.add(socket.getLocalPort());
      socket.setSoTimeout(30_000);
      socket.getOutputStream().write(bytes);
      DataInputStream in = new DataInputStream(socket.getInputStream());
      for (int type = 0, flags = 0; type != 6 || flags != 1; ) {
        int length = in.readUnsignedByte() << 16 | in.readUnsignedShort();
        type = in.readUnsignedByte();
        flags = in.readUnsignedByte();
        in.skipNBytes(4 + length);
      }
    } catch (EOFException | SocketException closed) {
      assertThat(closed).isNotNull();
    }
  }

  private static long most(long begin) {
    long seconds = Duration.ofNanos(System.nanoTime() - begin).toSeconds();
    // Two kinds of event for each, at most one line a second each.
    return 4 + 2 * seconds;
  }

  /** Returns the lines of these ports, and those that name no port. */
  private List<String> lines(List<Integer> ports) {
    return records.stream()
        .map(entry -> String.valueOf(entry.getMessage()))
        .filter(line -> !PORT.matcher(line).find()
            || PORT.matcher(line)
                .results()
                .anyMatch(port -> ports.contains(Integer.valueOf(port.group(1)))))
        .toList();
  }

  @Test
  void areAFewLinesInTheLog() throws Exception {
    long begin = System.nanoTime();
    Threads.forEach(List.of(Peer.values()), this::assertAFewLinesInTheLog);

    // Servers share the bound of each text.
    Map<String, Long> byText = records.stream()
        .collect(Collectors.groupingBy(
            entry -> String.valueOf(entry.getMessage()).replaceFirst("(?s) [(\\[].*", ""),
            Collectors.counting()));
    assertThat(byText.values()).as("%s", byText).allMatch(lines -> lines <= most(begin));
  }

  private void assertAFewLinesInTheLog(Peer peer) throws Exception {
    RpcServer server = start(RpcServer.builder()
        .addService(new GreeterService())
        .handshakeTimeout(
            Duration.ofMillis("connectionsTimedOut".equals(peer.counter) ? 300 : 20_000)));
    byte[] bytes = peer.bytes();
    long begin = System.nanoTime();

    List<Integer> ports = new CopyOnWriteArrayList<>();
    Threads.forEach(
        Collections.nCopies(PEERS, "peer"), each -> attack(server.port(), bytes, ports));

    Map<String, Long> counted = server.counters().asMap();
    if (peer.counter == null) {
      Await.until("all were there", () -> server.counters().connectionsOpened() == PEERS);
    } else {
      Await.until(
          "all are counted",
          () -> Long.valueOf(PEERS).equals(server.counters().asMap().get(peer.counter)));
      assertThat(counted).containsEntry("connectionsOpened", 0L);
    }
    List<String> lines = lines(ports);
    assertThat((long) lines.size()).as("%s", lines).isLessThanOrEqualTo(most(begin));
    try (RpcChannel channel =
        RpcChannel.builder().address("127.0.0.1", server.port()).build()) {
      if (peer.counter == null) {
        assertThat(GreeterClient.of(channel).sayHello("x")).isEqualTo("Hello, x!");
      }
    }
  }

  @Test
  void thatFailInTlsAreCounted() throws Exception {
    Certificates certificates = Certificates.in(directory);
    RpcServer server = start(RpcServer.builder()
        .addService(new GreeterService())
        .tls(certificates.mutualServer())
        .handshakeTimeout(Duration.ofSeconds(20)));
    long begin = System.nanoTime();

    for (int i = 0; i < 5; i++) {
      attack(server.port(), hex("GET / HTTP/1.1\r\n\r\n").getBytes(US_ASCII));
      attack(server.port(), HexFormat.of().parseHex("160301000401020304"));
      try (RpcChannel channel = RpcChannel.builder()
          .address("127.0.0.1", server.port())
          .tls(certificates.client())
          .closeTimeout(Duration.ZERO)
          .build()) {
        assertThat(failure(() -> GreeterClient.of(channel).sayHello("x")).isOk())
            .isFalse();
      }
    }

    RpcCounters counters = server.counters();
    Await.until("those of no TLS are counted", () -> counters.connectionsOfOtherProtocols() == 5);
    Await.until("failures are counted", () -> counters.connectionsFailedInTls() >= 10);
    assertThat((long) records.size()).as("%s", records).isLessThanOrEqualTo(most(begin) + 4);
  }

  @Test
  void thatSayNothingAreCountedWhenTheirTimeIsOver() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .addService(new GreeterService())
        .tls(Certificates.in(directory).server())
        .handshakeTimeout(Duration.ofMillis(300)));
    long begin = System.nanoTime();

    Threads.forEach(List.of(1, 2, 3, 4, 5), each -> attack(server.port(), new byte[0]));

    Await.until("all are counted", () -> server.counters().connectionsTimedOut() == 5);
    assertThat((long) records.size()).as("%s", records).isLessThanOrEqualTo(most(begin));
  }

  @Test
  void linesTellHowManyWereLeftOutAndFromWhom() throws Exception {
    RpcServer server = start(RpcServer.builder().addService(new GreeterService()));

    Await.until("a line tells it", () -> {
      attack(server.port(), Peer.OTHER_FRAMES.bytes());
      return records.stream()
          .anyMatch(entry -> String.valueOf(entry.getMessage())
              .matches("connection closed: the peer does not speak HTTP/2, its first bytes are"
                  + " 0000000568656c6c6f \\(peer /127\\.0\\.0\\.1:\\d+\\)"
                  + " \\[\\d+ more in the last \\d+ s, last peer /127\\.0\\.0\\.1:\\d+\\]"));
    });
  }

  /** As load balancers do to see whether somebody listens. */
  @Test
  void thatOnlyConnectAreNone() throws Exception {
    RpcServer server = start(RpcServer.builder().addService(new GreeterService()));
    for (int i = 0; i < 5; i++) {
      new Socket(InetAddress.getLoopbackAddress(), server.port()).close();
    }
    attack(server.port(), Peer.OTHER_FRAMES.bytes());

    Await.until("it is counted", () -> server.counters().connectionsOfOtherProtocols() == 1);
    assertThat(server.counters().connectionsTimedOut()).isZero();
  }
}
