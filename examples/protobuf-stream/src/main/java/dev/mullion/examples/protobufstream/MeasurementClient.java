package dev.mullion.examples.protobufstream;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.examples.protobufstream.proto.Measurement;
import dev.mullion.examples.protobufstream.proto.Summary;
import dev.mullion.framing.tcp.FramedClient;
import dev.mullion.framing.tcp.FramedConnection;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Sends each line of its input, a sensor's name and a value, and prints the server's summary. */
@Command(
    name = "measurement-client",
    showDefaultValues = true,
    description =
        "Sends each line of standard input, a sensor and a value, and prints the summary.")
public final class MeasurementClient implements Callable<Integer> {
  private static final int PROGRESS = 100_000;

  @Parameters(paramLabel = "PORT", defaultValue = "7002", description = "the server's port")
  private int port;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  private MeasurementClient() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new MeasurementClient()).execute(args));
  }

  @Override
  public Integer call() {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    try (FramedClient client = FramedClient.connect("127.0.0.1", port, MeasurementServer.FORMAT)) {
      print(exchange(lines, client.connection()));
      return 0;
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("measurement-client: " + e.getMessage());
      return 1;
    }
  }

  private static Summary exchange(BufferedReader lines, FramedConnection connection)
      throws IOException {
    String line;
    long sent = 0;
    while ((line = lines.readLine()) != null) {
      // Waits while more than the outbound queue holds is not in the kernel yet.
      connection.send(measurement(line).toByteArray());
      if (++sent % PROGRESS == 0) {
        System.err.println("sent " + sent + " measurements");
      }
    }
    connection.endOutput();
    byte[] summary = connection.receive(Duration.ofSeconds(10));
    if (summary == null) {
      throw new IOException("the server closed the connection without a summary");
    }
    return Summary.parseFrom(summary);
  }

  private static Measurement measurement(String line) {
    String[] words = line.split(" ");
    if (words.length != 2) {
      throw new IllegalArgumentException("line: " + line + " (expected: sensor value)");
    }
    return Measurement.newBuilder()
        .setSensor(words[0])
        .setValue(Double.parseDouble(words[1]))
        .build();
  }

  private static void print(Summary summary) {
    for (Summary.Sensor sensor : summary.getSensorsList()) {
      System.out.printf(
          Locale.ROOT,
          "%-8s %6d values, %.2f to %.2f, mean %.2f%n",
          sensor.getName(),
          sensor.getCount(),
          sensor.getMin(),
          sensor.getMax(),
          sensor.getMean());
    }
  }
}
