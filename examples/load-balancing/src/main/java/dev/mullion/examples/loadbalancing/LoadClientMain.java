package dev.mullion.examples.loadbalancing;

import dev.mullion.rpc.RetryPolicy;
import dev.mullion.rpc.RpcChannel;
import dev.mullion.rpc.RpcChannelBuilder;
import dev.mullion.rpc.greeter.GreeterClient;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Calls several servers in turn, and says every second who has answered. */
@Command(
    name = "load-client",
    showDefaultValues = true,
    description = "Calls the servers in turn; ends with status 1 if a call has failed.")
public final class LoadClientMain implements Callable<Integer> {
  @Option(names = "--seconds", defaultValue = "30", description = "for how long")
  private int seconds;

  @Option(names = "--callers", defaultValue = "4", description = "how many call at once")
  private int callers;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  @Parameters(paramLabel = "HOST:PORT", arity = "1..*", description = "the servers")
  private List<String> servers;

  private final Map<String, LongAdder> answers = new ConcurrentHashMap<>();
  private final LongAdder failed = new LongAdder();

  private LoadClientMain() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new LoadClientMain()).execute(args));
  }

  @Override
  public Integer call() throws InterruptedException {
    try (RpcChannel channel = connect()) {
      load(GreeterClient.of(channel));
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("load-client: " + e.getMessage());
      return 1;
    }
    return failed.sum() == 0 ? 0 : 1;
  }

  private RpcChannel connect() throws IOException {
    RpcChannelBuilder builder = RpcChannel.builder()
        .defaultTimeout(Duration.ofSeconds(5))
        // A call that a server refuses, since it stops, goes to the next one.
        .retryPolicy(RetryPolicy.defaults());
    for (String server : servers) {
      if (!server.matches(".+:\\d{1,5}")) {
        throw new IllegalArgumentException("server: " + server + " (expected: HOST:PORT)");
      }
      int colon = server.lastIndexOf(':');
      builder.address(server.substring(0, colon), Integer.parseInt(server.substring(colon + 1)));
    }
    return builder.connect();
  }

  private void load(GreeterClient client) throws InterruptedException {
    ExecutorService threads = Executors.newFixedThreadPool(callers);
    for (int i = 0; i < callers; i++) {
      threads.execute(() -> callUntilInterrupted(client));
    }
    for (int i = 0; i < seconds; i++) {
      Thread.sleep(1000);
      System.out.println(report());
    }
    threads.shutdownNow();
    threads.awaitTermination(10, TimeUnit.SECONDS);
  }

  private void callUntilInterrupted(GreeterClient client) {
    while (!Thread.currentThread().isInterrupted()) {
      try {
        String name = client.sayHello("load");
        answers.computeIfAbsent(name, any -> new LongAdder()).increment();
      } catch (StatusRuntimeException e) {
        // The last ones are interrupted.
        if (!Thread.currentThread().isInterrupted()) {
          failed.increment();
          System.err.println("load-client: " + e.getMessage());
        }
      }
    }
  }

  /** Who has answered since the last report. */
  private String report() {
    StringBuilder line = new StringBuilder();
    new TreeMap<>(answers).forEach((name, calls) -> {
      long count = calls.sumThenReset();
      if (count > 0) {
        line.append(name).append(' ').append(count).append(", ");
      }
    });
    return line.append("failed ").append(failed).toString();
  }
}
