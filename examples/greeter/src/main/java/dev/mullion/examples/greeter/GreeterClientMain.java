package dev.mullion.examples.greeter;

import com.google.rpc.BadRequest;
import dev.mullion.rpc.ErrorDetails;
import dev.mullion.rpc.RpcChannel;
import dev.mullion.rpc.greeter.GreeterClient;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Prints the greeting for a name. */
@Command(
    name = "greeter-client",
    showDefaultValues = true,
    description = "Calls hello.Greeter/SayHello and prints the greeting.")
public final class GreeterClientMain implements Callable<Integer> {
  @Option(names = "--host", defaultValue = "127.0.0.1", description = "the server's address")
  private String host;

  @Option(names = "--port", defaultValue = "50051", description = "the server's port")
  private int port;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  @Parameters(paramLabel = "NAME", defaultValue = "world", description = "who is greeted")
  private String name;

  private GreeterClientMain() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new GreeterClientMain()).execute(args));
  }

  @Override
  public Integer call() {
    try (RpcChannel channel = RpcChannel.builder()
        .address(host, port)
        .defaultTimeout(Duration.ofSeconds(5))
        .connect()) {
      System.out.println(GreeterClient.of(channel).sayHello(name));
      return 0;
    } catch (StatusRuntimeException e) {
      System.err.println("greeter-client: " + explain(e));
      return 1;
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("greeter-client: " + e.getMessage());
      return 1;
    }
  }

  /** The server says which field is wrong as a detail of its status. */
  private static String explain(StatusRuntimeException e) {
    return ErrorDetails.find(e, BadRequest.class)
        .map(detail -> "the server rejected the field "
            + detail.getFieldViolations(0).getField()
            + ": "
            + e.getStatus().getDescription())
        .orElse(e.getMessage());
  }
}
