package dev.mullion.messaging.kafka;

import java.util.Map;
import java.util.concurrent.CountDownLatch;

/** A node to try programs on, until Ctrl-C. Nothing is kept. */
final class KafkaToTry {
  private KafkaToTry() {}

  /** Starts it on a free port of loopback, and prints its address. */
  public static void main(String[] args) throws Exception {
    try (KafkaNode node = KafkaNode.start(Map.of())) {
      System.out.println("listening on " + node.servers());
      System.out.flush();
      new CountDownLatch(1).await();
    }
  }
}
