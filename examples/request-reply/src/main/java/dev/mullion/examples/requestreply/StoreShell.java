package dev.mullion.examples.requestreply;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** Sends all the commands of its input at once, and prints each reply when it comes. */
public final class StoreShell {
  /** No store knows it. */
  private static final byte UNHEARD_OF = 99;

  private StoreShell() {}

  /** Runs it against the port that is the argument, 7001 by default. */
  public static void main(String[] args) {
    int port = args.length > 0 ? Integer.parseInt(args[0]) : 7001;
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    List<String> commands = in.lines().toList();
    List<CompletableFuture<Void>> printed = new ArrayList<>();
    try (StoreClient client = StoreClient.connect("127.0.0.1", port)) {
      for (String command : commands) {
        String[] words = command.split(" ", 2);
        String text = words.length > 1 ? words[1] : "";
        printed.add(client
            .ask(type(words[0]), text)
            .thenAccept(reply ->
                System.out.println("#" + reply.id() + " " + command + ": " + outcome(reply))));
      }
      CompletableFuture.allOf(printed.toArray(CompletableFuture[]::new)).join();
    } catch (IOException | CompletionException e) {
      System.err.println("store-shell: " + e.getMessage());
      System.exit(1);
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
