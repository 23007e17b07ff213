package dev.mullion.examples.errors;

import com.google.rpc.BadRequest;
import dev.mullion.rpc.ErrorDetails;
import dev.mullion.rpc.RetryPolicy;
import dev.mullion.rpc.RpcChannel;
import dev.mullion.rpc.RpcChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Makes one transfer, and says what went wrong if something does. */
@Command(
    name = "bank-client",
    showDefaultValues = true,
    description = "Transfers money from one account to another.")
public final class BankClient implements Callable<Integer> {
  @Option(names = "--port", defaultValue = "50053", description = "the server's port")
  private int port;

  @Option(names = "--timeout", description = "milliseconds, 0 for as long as the server lets it")
  private int timeout;

  @Option(names = "--retry", description = "tries again when the bank is busy")
  private boolean retry;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  @Parameters(paramLabel = "FROM", index = "0")
  private String from;

  @Parameters(paramLabel = "TO", index = "1")
  private String to;

  @Parameters(paramLabel = "AMOUNT", index = "2")
  private long amount;

  private BankClient() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new BankClient()).execute(args));
  }

  @Override
  public Integer call() {
    TransferRequest request = TransferRequest.newBuilder()
        .setFrom(from)
        .setTo(to)
        .setAmount(amount)
        // All attempts have the same, so that a retry moves no money twice.
        .setId(UUID.randomUUID().toString())
        .build();
    try (RpcChannel channel = connect()) {
      TransferReply reply = BankGrpc.newBlockingStub(channel).transfer(request);
      System.out.println(from + " has " + reply.getBalance());
      return 0;
    } catch (StatusRuntimeException e) {
      System.err.println("bank-client: " + explain(e));
      return 1;
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("bank-client: " + e.getMessage());
      return 1;
    }
  }

  private RpcChannel connect() throws IOException {
    RpcChannelBuilder builder = RpcChannel.builder().address("127.0.0.1", port);
    if (timeout > 0) {
      builder.defaultTimeout(Duration.ofMillis(timeout));
    }
    if (retry) {
      builder.retryPolicy(
          RetryPolicy.builder().maxAttempts(5).retryOn(Status.Code.UNAVAILABLE).build());
    }
    return builder.connect();
  }

  private static String explain(StatusRuntimeException e) {
    Status status = e.getStatus();
    return switch (status.getCode()) {
      case INVALID_ARGUMENT ->
        ErrorDetails.find(e, BadRequest.class)
            .map(detail -> "wrong " + detail.getFieldViolations(0).getField() + ": "
                + detail.getFieldViolations(0).getDescription())
            .orElse(status.getDescription());
      case FAILED_PRECONDITION -> "not enough money: " + status.getDescription();
      case NOT_FOUND -> "unknown " + status.getDescription();
      case DEADLINE_EXCEEDED -> "no answer in time";
      case UNAVAILABLE -> status.getDescription() + "; it may work later";
      default -> e.getMessage();
    };
  }
}
