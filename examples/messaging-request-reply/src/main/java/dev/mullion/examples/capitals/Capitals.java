package dev.mullion.examples.capitals;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.NobodyListensException;
import dev.mullion.messaging.RequestFailedException;
import dev.mullion.messaging.Subject;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;

/** Questions and answers. Both sides share the address. */
final class Capitals {
  static final Subject<String, String> CAPITALS =
      Subject.of("capitals", Codecs.utf8(), Codecs.utf8());

  private static final Duration TIMEOUT = Duration.ofSeconds(5);
  private static final Map<String, String> KNOWN =
      Map.of("France", "Paris", "Japan", "Tokyo", "Peru", "Lima");

  private Capitals() {}

  /** Answers one question. The text of an exception reaches the caller. */
  static String answer(Delivery<String> question) {
    String capital = KNOWN.get(question.payload());
    if (capital == null) {
      throw new IllegalArgumentException("no such country");
    }
    return capital;
  }

  /** Asks all questions at once, then prints the replies; returns whether all were answered. */
  static boolean ask(Messaging messaging, List<String> countries) throws InterruptedException {
    Map<String, CompletableFuture<String>> replies = new LinkedHashMap<>();
    for (String country : countries) {
      replies.put(country, messaging.request(CAPITALS, country, TIMEOUT));
    }
    boolean answered = true;
    for (Map.Entry<String, CompletableFuture<String>> each : replies.entrySet()) {
      try {
        System.out.println(each.getKey() + ": " + each.getValue().get());
      } catch (ExecutionException e) {
        System.out.println(each.getKey() + ": " + explain(e.getCause()));
        answered = false;
      }
    }
    return answered;
  }

  private static String explain(Throwable error) {
    if (error instanceof RequestFailedException) {
      return "the replier failed: " + error.getMessage();
    }
    if (error instanceof NobodyListensException) {
      return "nobody replies: " + error.getMessage();
    }
    if (error instanceof TimeoutException) {
      return "no reply within " + TIMEOUT.toSeconds() + " s";
    }
    return error.getMessage();
  }
}
