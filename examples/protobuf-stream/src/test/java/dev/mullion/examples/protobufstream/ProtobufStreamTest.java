package dev.mullion.examples.protobufstream;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.examples.protobufstream.proto.Measurement;
import dev.mullion.examples.protobufstream.proto.Summary;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
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
class ProtobufStreamTest {
  private Process server;
  private int port;

  @BeforeEach
  void start() throws IOException {
    server = java(MeasurementServer.class, "0");
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
  void manyMeasurementsAreSummedUp() throws Exception {
    Process client = java(MeasurementClient.class, String.valueOf(port));
    try (var in = client.getOutputStream()) {
      for (int i = 1; i <= 5_000; i++) {
        in.write(("cellar " + i + "\nroof -" + i + ".5\n").getBytes(UTF_8));
      }
    }

    assertThat(new String(client.getInputStream().readAllBytes(), UTF_8).lines())
        .containsExactly(
            "cellar     5000 values, 1.00 to 5000.00, mean 2500.50",
            "roof       5000 values, -5000.50 to -1.50, mean -2501.00");
    assertThat(client.waitFor()).isZero();
  }

  @Test
  void protobufsOwnDelimitedStreamsAreTheSame() throws Exception {
    try (Socket socket = new Socket("127.0.0.1", port)) {
      Measurement.newBuilder()
          .setSensor("cellar")
          .setValue(11.5)
          .build()
          .writeDelimitedTo(socket.getOutputStream());
      socket.shutdownOutput();

      Summary summary = Summary.parseDelimitedFrom(socket.getInputStream());

      assertThat(summary.getSensorsList())
          .containsExactly(Summary.Sensor.newBuilder()
              .setName("cellar")
              .setCount(1)
              .setMin(11.5)
              .setMax(11.5)
              .setMean(11.5)
              .build());
      assertThat(socket.getInputStream().read()).isEqualTo(-1);
    }
  }

  @Test
  void clientSaysWhichLineItDoesNotUnderstand() throws Exception {
    Process client = java(MeasurementClient.class, String.valueOf(port));
    try (var in = client.getOutputStream()) {
      in.write("cellar\n".getBytes(UTF_8));
    }

    assertThat(client.waitFor()).isEqualTo(1);
    assertThat(new String(client.getErrorStream().readAllBytes(), UTF_8).strip())
        .isEqualTo("measurement-client: line: cellar (expected: sensor value)");
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
