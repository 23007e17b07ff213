package dev.mullion.examples.echo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Runs both programs as a user would. */
@Timeout(60)
class EchoTest {
  @Test
  void inputComesOutAsItWentIn() throws Exception {
    Process server = java(EchoServerMain.class, "--port", "0");
    try {
      String port = port(server);
      String input = "hello\n\nzwei Wörter\r\n" + "x".repeat(100_000) + "\nno line end";

      Process client = java(EchoClientMain.class, "--port", port);
      byte[] output = converse(client, input.getBytes(UTF_8));

      assertThat(new String(output, UTF_8)).isEqualTo(input);
      assertThat(client.waitFor()).isZero();
    } finally {
      server.destroy();
    }
    assertThat(server.waitFor(10, TimeUnit.SECONDS)).isTrue();
    assertThat(server.exitValue()).as("ended by SIGTERM").isEqualTo(143);
  }

  @Test
  void serverSaysThatThePortIsInUse() throws Exception {
    Process first = java(EchoServerMain.class, "--port", "0");
    try {
      String port = port(first);

      Process second = java(EchoServerMain.class, "--port", port);

      assertThat(second.waitFor()).isEqualTo(1);
      assertThat(new String(second.getErrorStream().readAllBytes(), UTF_8))
          .startsWith("echo-server: cannot listen on /127.0.0.1:" + port + ": ");
    } finally {
      first.destroy();
    }
  }

  @Test
  void clientSaysThatNobodyListens() throws Exception {
    Process client = java(EchoClientMain.class, "--port", "1");

    assertThat(client.waitFor()).isEqualTo(1);
    assertThat(new String(client.getErrorStream().readAllBytes(), UTF_8))
        .isEqualTo("echo-client: 127.0.0.1:1: Connection refused" + System.lineSeparator());
  }

  @Test
  void helpNamesTheArguments() throws Exception {
    Process server = java(EchoServerMain.class, "--help");

    assertThat(new String(server.getInputStream().readAllBytes(), UTF_8))
        .contains("--host", "--port", "--help", "Default: 7000");
    assertThat(server.waitFor()).isZero();
  }

  @Test
  void wrongArgumentIsRefused() throws Exception {
    Process server = java(EchoServerMain.class, "--port", "70000");

    assertThat(server.waitFor()).isEqualTo(1);
    assertThat(new String(server.getErrorStream().readAllBytes(), UTF_8))
        .isEqualTo("echo-server: port: 70000 (expected: 0 to 65535)" + System.lineSeparator());
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

  private static String port(Process server) throws IOException {
    BufferedReader out = new BufferedReader(new InputStreamReader(server.getInputStream(), UTF_8));
    String line = out.readLine();
    assertThat(line).startsWith("listening on 127.0.0.1:");
    return line.substring(line.lastIndexOf(':') + 1);
  }

  private static byte[] converse(Process client, byte[] input) throws Exception {
    Thread writer = new Thread(() -> {
      try (var in = client.getOutputStream()) {
        in.write(input);
      } catch (IOException e) {
        throw new java.io.UncheckedIOException(e);
      }
    });
    writer.start();
    byte[] output = client.getInputStream().readAllBytes();
    writer.join();
    return output;
  }
}
