package dev.mullion.examples.streaming;

import dev.mullion.rpc.RpcServer;
import java.io.IOException;
import java.time.Duration;

/** Serves the station until Ctrl-C. */
public final class StationServer {
  private StationServer() {}

  /** Takes the port to listen on, 50052 by default. */
  public static void main(String[] args) throws IOException, InterruptedException {
    int port = args.length > 0 ? Integer.parseInt(args[0]) : 50052;
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
    }
  }
}
