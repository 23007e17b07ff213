package dev.mullion.examples.greetertls;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Runs both programs as a user would. */
@Timeout(120)
class GreeterTlsTest {
  @TempDir
  Path folder;

  private Path certificates;
  private Process server;
  private BufferedReader serverSays;
  private String port;

  @AfterEach
  void stop() throws InterruptedException {
    if (server != null) {
      server.destroy();
      assertThat(server.waitFor(20, TimeUnit.SECONDS)).isTrue();
    }
  }

  private void start() throws IOException {
    certificates = folder.resolve("certificates");
    server = java(TlsServerMain.class, "--port", "0", "--certificates", certificates.toString());
    serverSays = new BufferedReader(new InputStreamReader(server.getInputStream(), UTF_8));
    String line = serverSays.readLine();
    assertThat(line).startsWith("listening on 127.0.0.1:");
    port = line.substring(line.lastIndexOf(':') + 1);
  }

  private Process client(String... more) throws IOException {
    List<String> arguments =
        new ArrayList<>(List.of("--port", port, "--certificates", certificates.toString()));
    arguments.addAll(List.of(more));
    return java(TlsClientMain.class, arguments.toArray(String[]::new));
  }

  @Test
  void newCertificateIsTakenAndNoConnectionIsDropped() throws Exception {
    X509Bundle authority = new CertificateBuilder()
        .ecp256()
        .subject("CN=authority")
        .setIsCertificateAuthority(true)
        .buildSelfSigned();
    write("authority.pem", authority.getCertificatePEM());
    String first = issueServer(authority);
    write("client.pem", pem(clientCertificate().buildIssuedBy(authority)));
    start();

    Process before = client("--calls", "1000", "Ada");
    BufferedReader beforeSays =
        new BufferedReader(new InputStreamReader(before.getInputStream(), UTF_8));
    assertThat(beforeSays.readLine()).isEqualTo("Hello, Ada! (certificate " + first + ")");
    assertThat(serverSays.readLine()).isEqualTo("called by CN=client");

    String second = issueServer(authority);
    BufferedReader log = new BufferedReader(new InputStreamReader(server.getErrorStream(), UTF_8));
    assertThat(log.readLine()).startsWith("INFO: changed TLS files are in use: Tls[server, ");
    Process after = client();

    assertThat(output(after)).isEqualTo("Hello, world! (certificate " + second + ")\n");
    assertThat(beforeSays.readLine()).isEqualTo("Hello, Ada! (certificate " + first + ")");
    before.destroy();

    Process anonymous = client("--anonymous");
    assertThat(errors(anonymous))
        .startsWith("greeter-tls-client: cannot connect to localhost:" + port
            + ": the server requires a client certificate");
    assertThat(anonymous.waitFor()).isEqualTo(1);
  }

  private String issueServer(X509Bundle authority) throws Exception {
    X509Bundle issued = new CertificateBuilder()
        .ecp256()
        .subject("CN=server")
        .addSanDnsName("localhost")
        .addExtendedKeyUsageServerAuth()
        .buildIssuedBy(authority);
    write("server.pem", pem(issued));
    return issued.getCertificate().getSerialNumber().toString(16).toUpperCase(Locale.ROOT);
  }

  private static CertificateBuilder clientCertificate() {
    return new CertificateBuilder().ecp256().subject("CN=client").addExtendedKeyUsageClientAuth();
  }

  private static String pem(X509Bundle bundle) {
    return bundle.getPrivateKeyPEM() + bundle.getCertificatePEM();
  }

  private void write(String name, String content) throws IOException {
    Path directory = Files.createDirectories(folder.resolve("certificates"));
    Path written = Files.writeString(directory.resolve(name + ".new"), content);
    Files.move(written, directory.resolve(name), StandardCopyOption.ATOMIC_MOVE);
  }

  @Test
  void scriptMakesTheCertificates() throws Exception {
    assumeTrue(hasOpenSsl(), "there is no openssl 3");
    Process script = new ProcessBuilder(
            Path.of("certificates.sh").toAbsolutePath().toString())
        .directory(folder.toFile())
        .start();
    String made = output(script);
    assertThat(made).containsPattern("(?m)^certificates/server.pem: serial=(\\w+)$");
    start();

    String serial = made.substring(made.indexOf('=') + 1, made.indexOf('\n'));
    // openssl writes leading zeros.
    assertThat(output(client()))
        .isEqualTo("Hello, world! (certificate " + serial.replaceFirst("^0+", "") + ")\n");
  }

  private static boolean hasOpenSsl() throws InterruptedException {
    try {
      return output(new ProcessBuilder("openssl", "version").start()).startsWith("OpenSSL 3");
    } catch (IOException absent) {
      return false;
    }
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

  private static String output(Process process) throws IOException {
    return new String(process.getInputStream().readAllBytes(), UTF_8)
        .replace(System.lineSeparator(), "\n");
  }

  private static String errors(Process process) throws IOException {
    return new String(process.getErrorStream().readAllBytes(), UTF_8);
  }
}
