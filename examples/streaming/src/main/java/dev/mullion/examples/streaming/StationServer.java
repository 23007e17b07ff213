package dev.mullion.examples.streaming;

import dev.mullion.rpc.RpcServer;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Serves the station until Ctrl-C. */
@Command(
    name = "station-server",
    showDefaultValues = true,
    description = "Serves a weather station until Ctrl-C.")
public final class StationServer implements Callable<Integer> {
  @Parameters(
      paramLabel = "PORT",
      defaultValue = "50052",
      description = "port to listen on, 0 for any")
  private int port;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  private StationServer() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new StationServer()).execute(args));
  }

  @Override
  public Integer call() throws InterruptedException {
    try (RpcServer server = RpcServer.builder()
        .port(port)
        .addService(new StationService())
        .defaultTimeout(Duration.ofSeconds(5))
        // A stream may stay open longer than other calls.
        .timeout(StationGrpc.getWatchMethod(), Duration.ofHours(1))
        .timeout(StationGrpc.getAverageMethod(), Duration.ofHours(1))
        .shutdownHook(true)
        .start()) {
      System.out.println("listening on 127.0.0.1:" + server.port());
      server.awaitTermination();
      return 0;
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("station-server: " + e.getMessage());
      return 1;
    }
  }
}
