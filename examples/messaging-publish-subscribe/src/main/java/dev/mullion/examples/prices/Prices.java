package dev.mullion.examples.prices;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.ExecutionException;

/**
 * Prices for all who subscribe, and an archive that misses none. Both sides share the addresses.
 */
final class Prices {
  static final Topic<String> PRICES = Topic.of("prices", Codecs.utf8());

  /** A pattern: a {@code *} stands for one word. */
  static final Topic<String> OF_EUROPE = PRICES.named("prices.eu.*");

  /** A group is a work queue that a topic feeds; {@code #} stands for any words. */
  static final WorkQueue<String> ARCHIVE = PRICES.named("prices.#").group("archive");

  private Prices() {}

  /** Shows the prices of Europe that are published while it runs; each at most once. */
  static Subscription show(Messaging messaging) throws MessagingException {
    Subscription screen = messaging.subscribe(OF_EUROPE, price -> print("screen ", price));
    screen.ready().toCompletableFuture().join();
    return screen;
  }

  /** Keeps all prices since the group was declared; each at least once. */
  static Subscription archive(Messaging messaging) throws MessagingException {
    return messaging.pull(ARCHIVE, price -> print("archive", price));
  }

  /** Publishes prices by place, each under a topic of its own. */
  static void publish(Messaging messaging, Map<String, String> prices)
      throws IOException, InterruptedException {
    for (Map.Entry<String, String> each : prices.entrySet()) {
      try {
        messaging
            .publish(PRICES.named("prices." + each.getKey()), each.getValue())
            .get();
      } catch (ExecutionException e) {
        throw new IOException(e.getCause().getMessage(), e);
      }
    }
  }

  private static void print(String who, Delivery<String> price) {
    System.out.println(who + " " + price.address() + " " + price.payload());
  }
}
