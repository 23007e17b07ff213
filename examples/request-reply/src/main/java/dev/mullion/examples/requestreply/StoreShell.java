package dev.mullion.examples.requestreply;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Sends all the commands of its input at once, and prints each reply when it comes. */
@Command(
    name = "store-shell",
    showDefaultValues = true,
    description =
        "Sends the commands of standard input (get KEY, put KEY=VALUE), and prints the replies.")
public final class StoreShell implements Callable<Integer> {
  /** No store knows it. */
  private static final byte UNHEARD_OF = 99;

  @Parameters(paramLabel = "PORT", defaultValue = "7001", description = "the server's port")
  private int port;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  private StoreShell() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new StoreShell()).execute(args));
  }

  @Override
  public Integer call() {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    List<CompletableFuture<Void>> printed = new ArrayList<>();
    try (StoreClient client = StoreClient.connect("127.0.0.1", port)) {
      for (String command : in.lines().toList()) {
        String[] words = command.split(" ", 2);
        String text = words.length > 1 ? words[1] : "";
        printed.add(client
            .ask(type(words[0]), text)
            .thenAccept(reply ->
                System.out.println("#" + reply.id() + " " + command + ": " + outcome(reply))));
      }
      CompletableFuture.allOf(printed.toArray(CompletableFuture[]::new)).join();
      return 0;
    } catch (IOException | CompletionException | IllegalArgumentException e) {
      System.err.println("store-shell: " + e.getMessage());
      return 1;
    }
  }

  private static byte type(String word) {
    return switch (word) {
      case "get" -> Message.GET;
      case "put" -> Message.PUT;
      default -> UNHEARD_OF;
    };
  }

  private static String outcome(Message reply) {
    return switch (reply.type()) {
      case Message.OK -> "done";
      case Message.VALUE -> reply.text();
      case Message.NOT_FOUND -> "there is none";
      default -> "error: " + reply.text();
    };
  }
}
