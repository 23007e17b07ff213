package dev.mullion.examples.echo;

import dev.mullion.framing.tcp.EchoServer;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Listens until Ctrl-C and echoes each frame. */
@Command(
    name = "echo-server",
    showDefaultValues = true,
    description = "Answers each frame (4 bytes of length, then the payload) with itself.")
public final class EchoServerMain implements Callable<Integer> {
  @Option(names = "--host", defaultValue = "127.0.0.1", description = "address to listen on")
  private String host;

  @Option(names = "--port", defaultValue = "7000", description = "port to listen on, 0 for any")
  private int port;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  private EchoServerMain() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new EchoServerMain()).execute(args));
  }

  @Override
  public Integer call() throws InterruptedException {
    try (EchoServer server = EchoServer.builder()
        .host(host)
        .port(port)
        // On Ctrl-C: replies that are due are still sent.
        .shutdownHook(true)
        .start()) {
      System.out.println("listening on " + host + ":" + server.port());
      server.awaitTermination();
      return 0;
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("echo-server: " + e.getMessage());
      return 1;
    }
  }
}
