package dev.mullion.examples.greeter;

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
class GreeterTest {
  @Test
  void clientPrintsTheGreetingAndServerEndsBySigterm() throws Exception {
    Process server = java(GreeterServerMain.class, "--port", "0");
    try {
      String port = port(server);

      Process client = java(GreeterClientMain.class, "--port", port, "Ada");
      assertThat(output(client)).isEqualTo("Hello, Ada!" + System.lineSeparator());
      assertThat(client.waitFor()).isZero();

      Process refused = java(GreeterClientMain.class, "--port", port, "");
      assertThat(errors(refused))
          .isEqualTo("greeter-client: the server rejected the field name: "
              + "name: 0 characters (expected: 1 to 256)"
              + System.lineSeparator());
      assertThat(refused.waitFor()).isEqualTo(1);

      Process second = java(GreeterServerMain.class, "--port", port);
      assertThat(errors(second))
          .startsWith("greeter-server: cannot listen on /127.0.0.1:" + port + ": ");
      assertThat(second.waitFor()).isEqualTo(1);
    } finally {
      // Unlike Process.destroy, this leaves what it has written to be read.
      server.toHandle().destroy();
    }
    assertThat(server.waitFor(10, TimeUnit.SECONDS)).isTrue();
    assertThat(server.exitValue()).as("ended by SIGTERM").isEqualTo(143);
    assertThat(errors(server)).isEmpty();
  }

  @Test
  void clientSaysThatNobodyListens() throws Exception {
    Process client = java(GreeterClientMain.class, "--port", "1");

    assertThat(errors(client))
        .startsWith("greeter-client: cannot connect to 127.0.0.1:1: Connection refused");
    assertThat(client.waitFor()).isEqualTo(1);
  }

  @Test
  void helpNamesTheArguments() throws Exception {
    Process server = java(GreeterServerMain.class, "--help");

    assertThat(output(server)).contains("--host", "--port", "--help", "Default: 50051");
    assertThat(server.waitFor()).isZero();
  }

  @Test
  void wrongArgumentIsRefused() throws Exception {
    Process server = java(GreeterServerMain.class, "--port", "70000");

    assertThat(errors(server))
        .isEqualTo("greeter-server: port: 70000 (expected: 0 to 65535)" + System.lineSeparator());
    assertThat(server.waitFor()).isEqualTo(1);
  }

  private static Process java(Class<?> main, String... args) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // Newer JDKs would warn of Netty's natives and of protobuf's memory access, on standard error.
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

  private static String output(Process process) throws IOException {
    return new String(process.getInputStream().readAllBytes(), UTF_8);
  }

  private static String errors(Process process) throws IOException {
    return new String(process.getErrorStream().readAllBytes(), UTF_8);
  }
}
