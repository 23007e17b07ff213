package com.example.hello;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Runs both programs as a user would. */
@Timeout(60)
class HelloTest {
  @Test
  void callOverTheNetwork() throws Exception {
    Process server = java(HelloServer.class, "0");
    String port;
    try {
      BufferedReader says = server.inputReader(UTF_8);
      String line = says.readLine();
      assertThat(line).startsWith("listening on /127.0.0.1:");
      port = line.substring(line.lastIndexOf(':') + 1);

      Process client = java(HelloClient.class, port, "Ada");
      assertThat(output(client)).isEqualTo(lines("Hello, Ada!"));
      assertThat(client.waitFor()).isZero();

      Process second = java(HelloServer.class, port);
      assertThat(errors(second)).startsWith("hello-server: cannot listen on ").hasLineCount(1);
      assertThat(second.waitFor()).isEqualTo(1);
    } finally {
      server.toHandle().destroy();
    }
    assertThat(server.waitFor(10, TimeUnit.SECONDS)).isTrue();
    assertThat(errors(server)).isEmpty();

    Process refused = java(HelloClient.class, port, "x");
    assertThat(errors(refused))
        .startsWith("hello-client: cannot connect to 127.0.0.1:" + port + ": ")
        .hasLineCount(1);
    assertThat(refused.waitFor()).isEqualTo(1);
  }

  @Test
  void wrongArgumentsGiveUsage() throws Exception {
    for (String[] args : new String[][] {{}, {"--help"}}) {
      Process client = java(HelloClient.class, "0", args);
      assertThat(errors(client)).isEqualTo(lines("usage: HelloClient NAME"));
      assertThat(client.waitFor()).isEqualTo(2);
    }
  }

  private static Process java(Class<?> main, String port, String... args) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // Newer JDKs would warn of native code, on standard error.
    command.add("--enable-native-access=ALL-UNNAMED");
    // Starts sooner, which counts more than speed for a program of seconds.
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"));
    command.add("-Dport=" + port);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    command.addAll(List.of(args));
    return new ProcessBuilder(command).start();
  }

  private static String lines(String... lines) {
    return String.join(System.lineSeparator(), lines) + System.lineSeparator();
  }

  private static String output(Process process) throws IOException {
    return new String(process.getInputStream().readAllBytes(), UTF_8);
  }

  private static String errors(Process process) throws IOException {
    return new String(process.getErrorStream().readAllBytes(), UTF_8);
  }
}
