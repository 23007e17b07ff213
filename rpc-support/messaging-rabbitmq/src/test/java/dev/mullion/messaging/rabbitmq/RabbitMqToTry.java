package dev.mullion.messaging.rabbitmq;

import java.util.concurrent.CountDownLatch;

/** A broker to try programs on, until Ctrl-C. Nothing is kept. */
final class RabbitMqToTry {
  private RabbitMqToTry() {}

  /** Starts it on a free port of loopback, and prints its address. */
  public static void main(String[] args) throws Exception {
    Broker broker = Broker.start();
    System.out.println("listening on " + broker.address());
    System.out.flush();
    new CountDownLatch(1).await();
  }
}
