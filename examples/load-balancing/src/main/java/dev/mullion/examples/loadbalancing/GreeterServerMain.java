package dev.mullion.examples.loadbalancing;

import dev.mullion.rpc.RpcServer;
import dev.mullion.rpc.greeter.GreeterService;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** One of several servers: it says its own name in each greeting. */
@Command(
    name = "greeter-server",
    showDefaultValues = true,
    description = "Answers hello.Greeter/SayHello with its own name, until Ctrl-C.")
public final class GreeterServerMain implements Callable<Integer> {
  @Option(names = "--host", defaultValue = "127.0.0.1", description = "address to listen on")
  private String host;

  @Option(names = "--port", defaultValue = "0", description = "port to listen on, 0 for any")
  private int port;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  @Parameters(paramLabel = "NAME", description = "what this server is called")
  private String name;

  private GreeterServerMain() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new GreeterServerMain()).execute(args));
  }

  @Override
  public Integer call() throws InterruptedException {
    try (RpcServer server = RpcServer.builder()
        .host(host)
        .port(port)
        .addService(GreeterService.greeting(whom -> name))
        // Ctrl-C: health says NOT_SERVING, calls that are open are answered, then it ends.
        .shutdownHook(true)
        .start()) {
      System.out.println(name + " listens on " + host + ":" + server.port());
      server.awaitTermination();
      return 0;
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("greeter-server: " + e.getMessage());
      return 1;
    }
  }
}
