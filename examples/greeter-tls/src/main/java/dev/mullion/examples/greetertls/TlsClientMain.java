package dev.mullion.examples.greetertls;

import dev.mullion.net.Tls;
import dev.mullion.rpc.RpcChannel;
import dev.mullion.rpc.greeter.GreeterClient;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Prints the greeting for a name, and which certificate the server has shown. */
@Command(
    name = "greeter-tls-client",
    showDefaultValues = true,
    description = "Calls hello.Greeter/SayHello over mutual TLS, once a second.")
public final class TlsClientMain implements Callable<Integer> {
  @Option(names = "--host", defaultValue = "localhost", description = "the server's name")
  private String host;

  @Option(names = "--port", defaultValue = "50051", description = "the server's port")
  private int port;

  @Option(
      names = "--certificates",
      defaultValue = "certificates",
      description = "folder of client.pem, with certificate and key, and authority.pem")
  private Path certificates;

  @Option(names = "--anonymous", description = "shows no certificate")
  private boolean anonymous;

  @Option(names = "--calls", defaultValue = "1", description = "how many, over one connection")
  private int calls;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  @Parameters(paramLabel = "NAME", defaultValue = "world", description = "who is greeted")
  private String name;

  private TlsClientMain() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new TlsClientMain()).execute(args));
  }

  @Override
  public Integer call() throws InterruptedException {
    try (RpcChannel channel = RpcChannel.builder()
        .address(host, port)
        .tls(anonymous ? trust() : trustAndIdentity())
        .defaultTimeout(Duration.ofSeconds(5))
        .connect()) {
      for (int i = 0; i < calls; i++) {
        if (i > 0) {
          Thread.sleep(1000);
        }
        greet(channel);
      }
      return 0;
    } catch (StatusRuntimeException | IOException | IllegalArgumentException e) {
      System.err.println("greeter-tls-client: " + e.getMessage());
      return 1;
    }
  }

  private Tls trust() {
    return Tls.client().trusting(certificates.resolve("authority.pem"));
  }

  private Tls trustAndIdentity() {
    Path own = certificates.resolve("client.pem");
    return trust().presenting(own, own);
  }

  private void greet(RpcChannel channel) {
    ServerCertificate certificate = new ServerCertificate();
    Channel looking = ClientInterceptors.intercept(channel, certificate);
    String greeting = GreeterClient.of(looking).sayHello(name);
    System.out.println(greeting + " (certificate " + certificate.serial() + ")");
  }
}
