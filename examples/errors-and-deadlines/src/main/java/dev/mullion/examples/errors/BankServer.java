package dev.mullion.examples.errors;

import dev.mullion.examples.errors.BankService.InsufficientFundsException;
import dev.mullion.rpc.RpcServer;
import io.grpc.Status;
import java.io.IOException;
import java.time.Duration;

/** Serves the bank until Ctrl-C. */
public final class BankServer {
  private BankServer() {}

  /** Takes the port to listen on, 50053 by default. */
  public static void main(String[] args) throws IOException, InterruptedException {
    int port = args.length > 0 ? Integer.parseInt(args[0]) : 50053;
    try (RpcServer server = RpcServer.builder()
        .port(port)
        .addService(new BankService())
        .mapException(
            InsufficientFundsException.class,
            error -> Status.FAILED_PRECONDITION.withDescription(error.getMessage()))
        // For calls without a deadline, and at most.
        .defaultTimeout(Duration.ofSeconds(2))
        .maxTimeout(Duration.ofSeconds(10))
        .shutdownHook(true)
        .start()) {
      System.out.println("listening on 127.0.0.1:" + server.port());
      server.awaitTermination();
    }
  }
}
