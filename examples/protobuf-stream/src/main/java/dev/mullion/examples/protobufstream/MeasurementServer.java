package dev.mullion.examples.protobufstream;

import dev.mullion.examples.protobufstream.proto.Measurement;
import dev.mullion.examples.protobufstream.proto.Summary;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.tcp.FramedConnection;
import dev.mullion.framing.tcp.FramedServer;
import java.io.IOException;
import java.util.DoubleSummaryStatistics;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Collects the measurements of each client, and answers a summary when the client has ended. */
@Command(
    name = "measurement-server",
    showDefaultValues = true,
    description = "Answers a summary when a client has sent its measurements, until Ctrl-C.")
public final class MeasurementServer implements Callable<Integer> {
  static final FrameFormat FORMAT =
      FrameFormat.protobufDelimited().toBuilder().maxFrameLength(64 * 1024).build();

  /** So that no client makes the server keep more than this. */
  private static final int MAX_SENSORS = 1_000;

  @Parameters(
      paramLabel = "PORT",
      defaultValue = "7002",
      description = "port to listen on, 0 for any")
  private int port;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  private MeasurementServer() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new MeasurementServer()).execute(args));
  }

  @Override
  public Integer call() throws InterruptedException {
    try (FramedServer server = FramedServer.builder()
        .port(port)
        .format(FORMAT)
        .handler(MeasurementServer::collect)
        // On Ctrl-C: each client then gets the summary of what it has sent so far.
        .shutdownHook(true)
        .start()) {
      System.out.println("listening on 127.0.0.1:" + server.port());
      server.awaitTermination();
      return 0;
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("measurement-server: " + e.getMessage());
      return 1;
    }
  }

  private static void collect(FramedConnection connection) throws IOException {
    Map<String, DoubleSummaryStatistics> sensors = new LinkedHashMap<>();
    for (byte[] frame : connection) {
      Measurement measurement = Measurement.parseFrom(frame);
      if (sensors.size() == MAX_SENSORS && !sensors.containsKey(measurement.getSensor())) {
        throw new IOException("more than " + MAX_SENSORS + " sensors");
      }
      sensors
          .computeIfAbsent(measurement.getSensor(), name -> new DoubleSummaryStatistics())
          .accept(measurement.getValue());
    }
    // The client has ended its side only; it still reads.
    connection.send(summary(sensors).toByteArray());
  }

  private static Summary summary(Map<String, DoubleSummaryStatistics> sensors) {
    Summary.Builder summary = Summary.newBuilder();
    sensors.forEach((name, values) -> summary
        .addSensorsBuilder()
        .setName(name)
        .setCount(values.getCount())
        .setMin(values.getMin())
        .setMax(values.getMax())
        .setMean(values.getAverage()));
    return summary.build();
  }
}
