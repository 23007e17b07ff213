package dev.mullion.examples.errors;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
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
class BankTest {
  private Process server;
  private String port;

  @BeforeEach
  void start() throws IOException {
    server = java(BankServer.class, "0");
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
  void errorsSayWhatIsWrong() throws Exception {
    assertThat(said(client("ada", "grace", "30"))).isEqualTo("ada has 70");

    Process nothing = client("ada", "grace", "0");
    Process tooMuch = client("ada", "grace", "500");
    Process unknown = client("ada", "linus", "5");
    assertThat(said(nothing)).isEqualTo("bank-client: wrong amount: 0 (expected: > 0)");
    assertThat(said(tooMuch)).isEqualTo("bank-client: not enough money: account ada has 70");
    assertThat(said(unknown)).isEqualTo("bank-client: unknown account linus");
  }

  @Test
  void slowTransferEndsInTime() throws Exception {
    Process inHaste = client("ada", "slow", "5", "--timeout", "200");
    Process asTheServerLetsIt = client("ada", "slow", "5");

    assertThat(said(inHaste)).isEqualTo("bank-client: no answer in time");
    assertThat(said(asTheServerLetsIt)).isEqualTo("bank-client: no answer in time");
  }

  @Test
  void busyBankAnswersARetry() throws Exception {
    assertThat(said(client("ada", "busy", "5")))
        .isEqualTo("bank-client: the ledger is busy; it may work later");
    assertThat(said(client("ada", "busy", "5", "--retry"))).isEqualTo("ada has 95");
  }

  private Process client(String... args) throws IOException {
    List<String> all = new ArrayList<>(List.of("--port", port));
    all.addAll(List.of(args));
    return java(BankClient.class, all.toArray(String[]::new));
  }

  private static String said(Process client) throws Exception {
    String said = text(client.getInputStream()) + text(client.getErrorStream());
    assertThat(client.waitFor()).isEqualTo(said.startsWith("bank-client: ") ? 1 : 0);
    return said.strip();
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

  private static String text(InputStream stream) throws IOException {
    return new String(stream.readAllBytes(), UTF_8);
  }
}
