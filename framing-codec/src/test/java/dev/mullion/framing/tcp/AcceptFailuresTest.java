package dev.mullion.framing.tcp;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.mullion.framing.testing.Await;
import dev.mullion.net.base.BoundedLog;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.ResourceBundle;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@Timeout(60)
class AcceptFailuresTest {
  private final TcpCounters totals = new TcpCounters();
  private boolean closing;

  private EmbeddedChannel listening(System.Logger logger) {
    EmbeddedChannel listening = new EmbeddedChannel(
        new AcceptFailures(totals, new BoundedLog<>(logger, Event.class), () -> closing));
    listening.freezeTime();
    return listening;
  }

  /** Whatever is thrown, and also if the log cannot be written, as without file descriptors. */
  @Test
  void failureIsCountedAndAcceptingGoesOnAfterAMoment() {
    Lines lines = new Lines(true);
    EmbeddedChannel listening = listening(lines);
    List<Throwable> all = List.of(
        new IOException("too many open files"),
        new OutOfMemoryError("thrown by the test"),
        new NoClassDefFoundError("thrown by the test"),
        new IllegalStateException("thrown by the test"));
    for (Throwable each : all) {
      listening.pipeline().fireExceptionCaught(each);
      assertThat(listening.config().isAutoRead()).isFalse();
    }
    listening.checkException();
    assertThat(totals.acceptsFailed()).isEqualTo(all.size());

    listening.advanceTimeBy(99, TimeUnit.MILLISECONDS);
    listening.runScheduledPendingTasks();
    assertThat(listening.config().isAutoRead()).isFalse();
    listening.advanceTimeBy(1, TimeUnit.MILLISECONDS);
    listening.runScheduledPendingTasks();
    assertThat(listening.config().isAutoRead()).isTrue();

    listening.pipeline().fireExceptionCaught(new IOException("again"));
    assertThat(listening.config().isAutoRead()).isFalse();
    listening.close();
  }

  @Test
  void listeningThatEndsByItselfIsLogged() {
    Lines lines = new Lines(false);
    listening(lines).close();
    closing = true;
    listening(lines).close();

    assertThat(lines.seen).singleElement().asString().startsWith("ERROR listening socket ");
  }

  private static final class Lines implements System.Logger {
    final List<String> seen = new ArrayList<>();
    private final boolean fails;

    Lines(boolean fails) {
      this.fails = fails;
    }

    @Override
    public String getName() {
      return "test";
    }

    @Override
    public boolean isLoggable(Level level) {
      return true;
    }

    @Override
    public void log(
        Level level,
        @Nullable ResourceBundle bundle,
        @Nullable String text,
        @Nullable Throwable error) {
      if (fails) {
        throw new NoClassDefFoundError("no file descriptor for its class");
      }
      seen.add(level + " " + text);
    }

    @Override
    public void log(
        Level level,
        @Nullable ResourceBundle bundle,
        @Nullable String text,
        @Nullable Object... more) {
      log(level, bundle, text, (Throwable) null);
    }
  }

  /**
   * A process with few file descriptors: its event loop once ended at the first one that was
   * missing, and the port stayed open, with nobody to accept. The first connection of all ends
   * without files too: its end needed a class that was in one.
   */
  @EnabledOnOs(OS.LINUX)
  @ParameterizedTest
  @MethodSource("transportsAndHandlers")
  void serverServesAgainWhenFilesAreClosed(Transport transport, String handler) throws Exception {
    Process process = new ProcessBuilder(
            "sh",
            "-c",
            "ulimit -n 200 && exec \"$0\" \"$@\"",
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:-MaxFDLimit",
            "-Xmx64m",
            "-cp",
            System.getProperty("java.class.path"),
            Server.class.getName(),
            transport.name(),
            handler)
        .redirectError(ProcessBuilder.Redirect.DISCARD)
        .start();
    try (BufferedReader says =
        new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8))) {
      String port = says.readLine();
      assumeTrue(port != null, "the transport cannot start with so few files");
      List<Socket> peers = new ArrayList<>();
      for (int i = 0; i < 400; i++) {
        peers.add(new Socket(InetAddress.getLoopbackAddress(), Integer.parseInt(port)));
      }
      assertThat(says.readLine()).isEqualTo("cannot accept");
      for (Socket each : peers) {
        each.close();
      }
      Await.until("an echo", () -> echoes(Integer.parseInt(port)));
    } finally {
      process.destroyForcibly();
    }
  }

  static Stream<Arguments> transportsAndHandlers() {
    return EchoServers.transports()
        .flatMap(transport -> Stream.of("blocking", "batch", "reactive")
            .map(handler -> Arguments.of(transport, handler)));
  }

  private static boolean echoes(int port) {
    try (Socket peer = new Socket(InetAddress.getLoopbackAddress(), port)) {
      peer.setSoTimeout(20_000);
      peer.getOutputStream().write(new byte[] {0, 0, 0, 2, 'h', 'i'});
      return peer.getInputStream().readNBytes(6).length == 6;
    } catch (IOException notYet) {
      return false;
    }
  }

  /** The other process. */
  static final class Server {
    private Server() {}

    public static void main(String[] args) throws Exception {
      FramedServerBuilder builder =
          FramedServer.builder().transport(Transport.valueOf(args[0])).eventLoopThreads(1);
      switch (args[1]) {
        case "batch" ->
          builder.batchHandler(() -> (connection, batch) -> connection.reply(batch.encoded()));
        case "reactive" ->
          builder.reactiveHandler(each -> each.publisher().subscribe(each.subscriber()));
        default ->
          builder.handler(connection -> {
            for (byte[] frame : connection) {
              connection.send(frame);
            }
          });
      }
      FramedServer server = builder.start();
      System.out.println(server.port());
      while (server.counters().acceptsFailed() == 0) {
        Thread.onSpinWait();
      }
      System.out.println("cannot accept");
      server.awaitTermination();
    }
  }
}
