package dev.mullion.examples.errors;

import dev.mullion.examples.errors.BankService.InsufficientFundsException;
import dev.mullion.rpc.RpcServer;
import io.grpc.Status;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Serves the bank until Ctrl-C. */
@Command(
    name = "bank-server",
    showDefaultValues = true,
    description = "Moves money between accounts, until Ctrl-C.")
public final class BankServer implements Callable<Integer> {
  @Parameters(
      paramLabel = "PORT",
      defaultValue = "50053",
      description = "port to listen on, 0 for any")
  private int port;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  private BankServer() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new BankServer()).execute(args));
  }

  @Override
  public Integer call() throws InterruptedException {
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
      return 0;
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("bank-server: " + e.getMessage());
      return 1;
    }
  }
}
