package dev.mullion.examples.greeter;

import dev.mullion.rpc.RpcServer;
import dev.mullion.rpc.greeter.GreeterService;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Serves the Greeter until Ctrl-C. */
@Command(
    name = "greeter-server",
    showDefaultValues = true,
    description = "Answers hello.Greeter/SayHello with \"Hello, {name}!\".")
public final class GreeterServerMain implements Callable<Integer> {
  @Option(names = "--host", defaultValue = "127.0.0.1", description = "address to listen on")
  private String host;

  @Option(names = "--port", defaultValue = "50051", description = "port to listen on, 0 for any")
  private int port;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  private GreeterServerMain() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new GreeterServerMain()).execute(args));
  }

  @Override
  public Integer call() throws InterruptedException {
    try (RpcServer server = RpcServer.builder()
        .host(host)
        .port(port)
        .addService(new GreeterService())
        .defaultTimeout(Duration.ofSeconds(10))
        // Ctrl-C closes the server: calls that are open are still answered.
        .shutdownHook(true)
        .start()) {
      System.out.println("listening on " + host + ":" + server.port());
      server.awaitTermination();
      return 0;
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("greeter-server: " + e.getMessage());
      return 1;
    }
  }
}
