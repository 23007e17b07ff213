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

/** Collects the measurements of each client, and answers a summary when the client has ended. */
public final class MeasurementServer {
  static final FrameFormat FORMAT =
      FrameFormat.protobufDelimited().toBuilder().maxFrameLength(64 * 1024).build();

  /** So that no client makes the server keep more than this. */
  private static final int MAX_SENSORS = 1_000;

  private MeasurementServer() {}

  /** Runs it on the port that is the argument, 7002 by default, until Ctrl-C. */
  public static void main(String[] args) throws IOException, InterruptedException {
    int port = args.length > 0 ? Integer.parseInt(args[0]) : 7002;
    FramedServer server = FramedServer.builder()
        .port(port)
        .format(FORMAT)
        .handler(MeasurementServer::collect)
        .start();
    // Ctrl-C runs the hook: each client then gets the summary of what it has sent so far.
    Runtime.getRuntime().addShutdownHook(new Thread(server::close));
    System.out.println("listening on 127.0.0.1:" + server.port());
    server.awaitTermination();
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
