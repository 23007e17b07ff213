package dev.mullion.examples.streaming;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.rpc.ClientStream;
import dev.mullion.rpc.RpcChannel;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Iterator;
import java.util.Locale;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Asks the station in three ways. */
@Command(name = "station-client", description = "Reads a weather station's sensors.")
public final class StationClient {
  @Option(names = "--port", defaultValue = "50052", description = "the server's port")
  private int port;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  private StationClient() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new StationClient())
        .setExecutionExceptionHandler((error, command, parsed) -> {
          System.err.println("station-client: " + error.getMessage());
          return 1;
        })
        .execute(args));
  }

  private RpcChannel connect() throws IOException {
    return RpcChannel.builder().address("127.0.0.1", port).connect();
  }

  @Command(description = "Prints one reading.")
  int latest(@Parameters(paramLabel = "SENSOR") String sensor) throws IOException {
    try (RpcChannel channel = connect()) {
      Reading reading = StationGrpc.newBlockingStub(channel)
          .withDeadlineAfter(Duration.ofSeconds(2))
          .latest(LatestRequest.newBuilder().setSensor(sensor).build());
      System.out.println(text(reading));
      return 0;
    }
  }

  @Command(description = "Reads many, and prints the first and the last one.")
  int watch(
      @Parameters(paramLabel = "SENSOR") String sensor,
      @Parameters(paramLabel = "COUNT") long count,
      @Option(names = "--pause", defaultValue = "0", description = "milliseconds for each")
          int pause)
      throws IOException, InterruptedException {
    WatchRequest request =
        WatchRequest.newBuilder().setSensor(sensor).setCount(count).build();
    try (RpcChannel channel = connect()) {
      Iterator<Reading> readings = StationGrpc.newBlockingStub(channel).watch(request);
      long seen = 0;
      while (readings.hasNext()) {
        Reading reading = readings.next();
        if (reading.getStopping()) {
          System.out.println("the station stopped after " + seen + " readings");
          return 0;
        }
        seen++;
        if (seen == 1 || seen == count) {
          System.out.println(text(reading));
        } else if (seen % 10_000 == 0) {
          System.err.println(seen + " of " + count + " readings");
        }
        Thread.sleep(pause);
      }
      return 0;
    }
  }

  @Command(description = "Sends numbers from standard input, and prints the mean after each.")
  int average() throws IOException {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    try (RpcChannel channel = connect();
        ClientStream<Reading, Mean> stream =
            ClientStream.open(StationGrpc.newStub(channel)::average)) {
      Iterator<Mean> means = stream.replies().iterator();
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        stream
            .requests()
            .write(Reading.newBuilder().setValue(Double.parseDouble(line)).build());
        Mean mean = means.next();
        System.out.printf(Locale.ROOT, "%d: %.2f%n", mean.getCount(), mean.getValue());
      }
      stream.requests().complete();
      return 0;
    }
  }

  private static String text(Reading reading) {
    return String.format(
        Locale.ROOT, "%s %d: %.2f", reading.getSensor(), reading.getNumber(), reading.getValue());
  }
}
