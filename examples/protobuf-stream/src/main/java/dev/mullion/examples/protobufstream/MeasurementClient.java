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

/** Sends each line of its input, a sensor's name and a value, and prints the server's summary. */
public final class MeasurementClient {
  private MeasurementClient() {}

  /** Runs it against the port that is the argument, 7002 by default. */
  public static void main(String[] args) {
    int port = args.length > 0 ? Integer.parseInt(args[0]) : 7002;
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    try (FramedClient client = FramedClient.connect("127.0.0.1", port, MeasurementServer.FORMAT)) {
      print(exchange(lines, client.connection()));
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("measurement-client: " + e.getMessage());
      System.exit(1);
    }
  }

  private static Summary exchange(BufferedReader lines, FramedConnection connection)
      throws IOException {
    String line;
    while ((line = lines.readLine()) != null) {
      // Waits while more than the outbound queue holds is not in the kernel yet.
      connection.send(measurement(line).toByteArray());
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
