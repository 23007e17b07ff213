package dev.mullion.examples.greetertls;

import dev.mullion.net.Tls;
import dev.mullion.rpc.RpcServer;
import dev.mullion.rpc.greeter.GreeterService;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Serves the Greeter until Ctrl-C, to clients whose certificate is of its own authority. */
@Command(
    name = "greeter-tls-server",
    showDefaultValues = true,
    description = "Answers hello.Greeter/SayHello over mutual TLS.")
public final class TlsServerMain implements Callable<Integer> {
  @Option(names = "--port", defaultValue = "50051", description = "port to listen on, 0 for any")
  private int port;

  @Option(
      names = "--certificates",
      defaultValue = "certificates",
      description = "folder of server.pem, with certificate and key, and authority.pem")
  private Path certificates;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  private TlsServerMain() {}

  public static void main(String[] args) {
    // One line for each message of the log.
    System.setProperty("java.util.logging.SimpleFormatter.format", "%4$s: %5$s%n");
    System.exit(new CommandLine(new TlsServerMain()).execute(args));
  }

  @Override
  public Integer call() throws InterruptedException {
    Path own = certificates.resolve("server.pem");
    Tls tls = Tls.server(own, own)
        // Makes it mutual: clients need a certificate too.
        .trusting(certificates.resolve("authority.pem"))
        .reloadInterval(Duration.ofSeconds(1));
    try (RpcServer server = RpcServer.builder()
        .port(port)
        .tls(tls)
        .addService(new GreeterService())
        .intercept(new CallerLog())
        .defaultTimeout(Duration.ofSeconds(10))
        .shutdownHook(true)
        .start()) {
      System.out.println("listening on 127.0.0.1:" + server.port());
      server.awaitTermination();
      return 0;
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("greeter-tls-server: " + e.getMessage());
      return 1;
    }
  }
}
