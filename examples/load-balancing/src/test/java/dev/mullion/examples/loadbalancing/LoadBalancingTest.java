package dev.mullion.examples.loadbalancing;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Runs the programs as a user would. */
@Timeout(120)
class LoadBalancingTest {
  private final List<Process> started = new ArrayList<>();

  @AfterEach
  void endAll() {
    started.forEach(Process::destroyForcibly);
  }

  @Test
  void noCallFailsWhileAServerIsStoppedAndComesBack() throws Exception {
    Process one = java(GreeterServerMain.class, "one");
    Process two = java(GreeterServerMain.class, "two");
    Process three = java(GreeterServerMain.class, "three");
    String portOfTwo = port(two);
    Process client = java(
        LoadClientMain.class,
        "--seconds=100",
        "127.0.0.1:" + port(one),
        "127.0.0.1:" + portOfTwo,
        "127.0.0.1:" + port(three));
    BufferedReader lines = client.inputReader(UTF_8);

    readUntil(lines, line -> line.matches("one \\d+, three \\d+, two \\d+, failed 0"));
    two.toHandle().destroy();
    assertThat(two.waitFor(20, TimeUnit.SECONDS)).isTrue();
    readUntil(lines, line -> line.matches("one \\d+, three \\d+, failed 0"));
    java(GreeterServerMain.class, "two", "--port", portOfTwo);
    readUntil(lines, line -> line.matches("one \\d+, three \\d+, two \\d+, failed 0"));
  }

  @Test
  void clientEndsWellWhenNoCallHasFailed() throws Exception {
    Process one = java(GreeterServerMain.class, "one");
    Process client = java(LoadClientMain.class, "--seconds=1", "127.0.0.1:" + port(one));

    assertThat(new String(client.getInputStream().readAllBytes(), UTF_8))
        .matches("one \\d+, failed 0\\R");
    assertThat(new String(client.getErrorStream().readAllBytes(), UTF_8)).isEmpty();
    assertThat(client.waitFor()).isZero();
  }

  @Test
  void clientSaysThatNobodyListens() throws Exception {
    Process client = java(LoadClientMain.class, "127.0.0.1:1", "127.0.0.1:2");

    assertThat(new String(client.getErrorStream().readAllBytes(), UTF_8))
        .startsWith("load-client: cannot connect to 127.0.0.1:1, 127.0.0.1:2: ");
    assertThat(client.waitFor()).isEqualTo(1);
  }

  private static void readUntil(BufferedReader lines, Predicate<String> wanted) throws IOException {
    String line = lines.readLine();
    while (line != null && !wanted.test(line)) {
      assertThat(line).endsWith("failed 0");
      line = lines.readLine();
    }
    assertThat(line).as("the client's last line").isNotNull();
  }

  private Process java(Class<?> main, String... args) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // Newer JDKs would warn of Netty's natives and of protobuf's memory access, on standard error.
    command.add("--enable-native-access=ALL-UNNAMED");
    // Starts sooner, which counts more than speed for a program of seconds.
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    command.addAll(List.of(args));
    Process process = new ProcessBuilder(command).start();
    started.add(process);
    return process;
  }

  private static String port(Process server) throws IOException {
    String line = server.inputReader(UTF_8).readLine();
    assertThat(line).contains(" listens on 127.0.0.1:");
    return line.substring(line.lastIndexOf(':') + 1);
  }
}
