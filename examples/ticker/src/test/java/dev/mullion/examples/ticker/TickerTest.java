package dev.mullion.examples.ticker;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Runs both programs as a user would. */
@Timeout(60)
class TickerTest {
  @TempDir
  Path folder;

  private Process server;
  private BufferedReader serverSays;
  private String port;
  private String authorities;

  @BeforeEach
  void start() throws Exception {
    X509Bundle bundle = new CertificateBuilder()
        .subject("CN=localhost")
        .addSanDnsName("localhost")
        .setIsCertificateAuthority(true)
        .buildSelfSigned();
    Path certificate = Files.writeString(folder.resolve("cert.pem"), bundle.getCertificatePEM());
    Path key = Files.writeString(folder.resolve("key.pem"), bundle.getPrivateKeyPEM());
    authorities = certificate.toString();
    server = java(TickerServer.class, "0", certificate.toString(), key.toString());
    serverSays = new BufferedReader(new InputStreamReader(server.getInputStream(), UTF_8));
    String line = serverSays.readLine();
    assertThat(line).startsWith("listening on 127.0.0.1:");
    port = line.substring(line.lastIndexOf(':') + 1);
  }

  @AfterEach
  void stop() throws InterruptedException {
    server.destroy();
    assertThat(server.waitFor(10, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void slowClientMissesTicksAndHoldsUpNobody() throws Exception {
    Process slow = java(TickerClient.class, port, authorities, "1000", "1000");
    List<Process> fast = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      fast.add(java(TickerClient.class, port, authorities, "200", "0"));
    }

    for (Process client : fast) {
      assertThat(new String(client.getInputStream().readAllBytes(), UTF_8))
          .startsWith("TLSv1.3")
          .contains("received 200, missing ");
      assertThat(client.waitFor()).isZero();
      assertThat(serverSays.readLine()).contains(" ticks and missed ");
    }
    assertThat(slow.isAlive()).isTrue();
    slow.destroyForcibly().waitFor();
    assertThat(serverSays.readLine()).matches("a client was sent \\d+ ticks and missed [1-9]\\d*");
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
    return new ProcessBuilder(command)
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }
}
