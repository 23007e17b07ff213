package dev.mullion.examples.streaming;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Runs both programs as a user would. */
@Timeout(60)
class StationTest {
  private Process server;
  private String port;

  @BeforeEach
  void start() throws IOException {
    // Little memory: a server that did not wait for its clients would need more.
    server = java(List.of("-Xmx64m"), StationServer.class, "0");
    BufferedReader says = new BufferedReader(new InputStreamReader(server.getInputStream(), UTF_8));
    String line = says.readLine();
    assertThat(line).startsWith("listening on 127.0.0.1:");
    port = line.substring(line.lastIndexOf(':') + 1);
  }

  @AfterEach
  void stop() throws InterruptedException {
    server.destroy();
    assertThat(server.waitFor(20, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void latestIsOneReading() throws Exception {
    assertThat(output(client("latest", "cellar"))).isEqualTo(lines("cellar 0: 11.50"));

    Process refused = client("latest", "attic");
    assertThat(errors(refused))
        .isEqualTo(lines("station-client: NOT_FOUND: sensor: attic (expected: cellar or roof)"));
    assertThat(refused.waitFor()).isEqualTo(1);
  }

  @Test
  void manyReadingsComeAsFastAsTheClientReads() throws Exception {
    assertThat(output(client("watch", "roof", "50000")))
        .isEqualTo(lines("roof 0: -2.00", "roof 49999: 0.25"));
    assertThat(output(client("watch", "roof", "3", "--pause", "10")))
        .isEqualTo(lines("roof 0: -2.00", "roof 2: -1.50"));
  }

  @Test
  void meanComesAfterEachNumber() throws Exception {
    Process client = client("average");
    client.getOutputStream().write("1\n2\n6\n".getBytes(UTF_8));
    client.getOutputStream().close();

    assertThat(output(client)).isEqualTo(lines("1: 1.00", "2: 1.50", "3: 3.00"));
  }

  @Test
  void openStreamHasALastMessageWhenTheServerStops() throws Exception {
    Process client = client("watch", "cellar", String.valueOf(Long.MAX_VALUE));
    BufferedReader says = new BufferedReader(new InputStreamReader(client.getInputStream(), UTF_8));
    assertThat(says.readLine()).isEqualTo("cellar 0: 11.50");

    server.toHandle().destroy();

    assertThat(says.readLine()).matches("the station stopped after \\d+ readings");
    assertThat(client.waitFor()).isZero();
  }

  private Process client(String... args) throws IOException {
    List<String> all = new ArrayList<>(List.of("--port", port));
    all.addAll(List.of(args));
    return java(List.of(), StationClient.class, all.toArray(String[]::new));
  }

  private static Process java(List<String> options, Class<?> main, String... args)
      throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(options);
    // Newer JDKs would warn of Netty's natives and of protobuf's memory access, on standard error.
    command.add("--enable-native-access=ALL-UNNAMED");
    // Starts sooner, which counts more than speed for a program of seconds.
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"));
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
