package dev.mullion.examples.requestreply;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Runs both programs as a user would. */
@Timeout(60)
class RequestReplyTest {
  private Process server;
  private int port;

  @BeforeEach
  void start() throws IOException {
    server = java(StoreServer.class, "0");
    String line =
        new BufferedReader(new InputStreamReader(server.getInputStream(), UTF_8)).readLine();
    assertThat(line).startsWith("listening on 127.0.0.1:");
    port = Integer.parseInt(line.substring(line.lastIndexOf(':') + 1));
  }

  @AfterEach
  void stop() throws InterruptedException {
    server.destroy();
    assertThat(server.waitFor(10, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void repliesComeOutOfOrderAndFindTheirRequests() throws Exception {
    Process shell = java(StoreShell.class, String.valueOf(port));
    try (var in = shell.getOutputStream()) {
      in.write("put colour=blue\nget colour\nget shape\nput size\nfly away\nput shape=round\n"
          .getBytes(UTF_8));
    }

    assertThat(new String(shell.getInputStream().readAllBytes(), UTF_8).lines())
        .containsExactly(
            "#1 put colour=blue: done",
            "#4 put size: error: no '=' between key and value",
            "#5 fly away: error: unknown type 99",
            "#6 put shape=round: done",
            "#2 get colour: blue",
            "#3 get shape: round");
    assertThat(shell.waitFor()).isZero();
  }

  @Test
  void moreRequestsThanTheServerTakesAtOnceAreAnswered() throws Exception {
    try (StoreClient client = StoreClient.connect("127.0.0.1", port)) {
      List<CompletableFuture<Message>> replies = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        client.ask(Message.PUT, "key" + i + "=value" + i);
        replies.add(client.ask(Message.GET, "key" + i));
      }

      for (int i = 0; i < 20; i++) {
        assertThat(replies.get(i).get().text()).isEqualTo("value" + i);
      }
    }
  }

  @Test
  void theHeaderIsAsDrawn() throws Exception {
    try (Socket socket = new Socket("127.0.0.1", port)) {
      socket.getOutputStream().write(HexFormat.of().parseHex("4b56020000000700000003613d62"));

      byte[] reply = socket.getInputStream().readNBytes(11);

      assertThat(HexFormat.of().formatHex(reply)).isEqualTo("4b56400000000700000000");
    }
  }

  @Test
  void endOfTheServerFailsWhatWaits() throws Exception {
    try (StoreClient client = StoreClient.connect("127.0.0.1", port)) {
      CompletableFuture<Message> reply = client.ask(Message.GET, "colour");
      server.destroyForcibly().waitFor();

      assertThat(reply)
          .failsWithin(10, TimeUnit.SECONDS)
          .withThrowableThat()
          .withCauseInstanceOf(IOException.class);
    }
  }

  private static Process java(Class<?> main, String... args) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // Newer JDKs would warn of Netty's natives, on standard error.
    command.add("--enable-native-access=ALL-UNNAMED");
    // Starts sooner, which counts more than speed for a program of seconds.
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    command.addAll(List.of(args));
    return new ProcessBuilder(command).start();
  }
}
