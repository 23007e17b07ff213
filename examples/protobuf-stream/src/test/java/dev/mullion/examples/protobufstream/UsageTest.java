package dev.mullion.examples.protobufstream;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A mistake is answered in words, never by the trace of an exception. */
@Timeout(60)
class UsageTest {
  @Test
  void argumentsAreExplained() throws Exception {
    Process help = java(MeasurementServer.class, "--help");
    Process server = java(MeasurementServer.class, "--nonsense");
    Process client = java(MeasurementClient.class, "--nonsense");

    assertThat(text(help)).startsWith("Usage: ");
    assertThat(help.waitFor()).isZero();
    for (Process wrong : List.of(server, client)) {
      assertThat(text(wrong)).contains("Usage: ").doesNotContain("\tat ");
      assertThat(wrong.waitFor()).isEqualTo(2);
    }
  }

  @Test
  void failuresAreOneLine() throws Exception {
    Process server = java(MeasurementServer.class, "70000");
    Process client = java(MeasurementClient.class, "1");

    assertThat(text(server)).startsWith("measurement-server: ").hasLineCount(1);
    assertThat(server.waitFor()).isEqualTo(1);
    assertThat(text(client))
        .startsWith("measurement-client: ")
        .contains("cannot connect to 127.0.0.1:1: ")
        .hasLineCount(1);
    assertThat(client.waitFor()).isEqualTo(1);
  }

  private static Process java(Class<?> main, String... args) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // Newer JDKs would warn of native code.
    command.add("--enable-native-access=ALL-UNNAMED");
    // Starts sooner, which counts more than speed for a program of seconds.
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    command.addAll(List.of(args));
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  private static String text(Process process) throws IOException {
    process.getOutputStream().close();
    return new String(process.getInputStream().readAllBytes(), UTF_8);
  }
}
