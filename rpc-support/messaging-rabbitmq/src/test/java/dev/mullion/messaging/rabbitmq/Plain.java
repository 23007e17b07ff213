package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;

/** The client of RabbitMQ as others use it. */
final class Plain {
  private Plain() {}

  static Connection connect(int port) throws Exception {
    ConnectionFactory factory = new ConnectionFactory();
    factory.setHost("127.0.0.1");
    factory.setPort(port);
    factory.setConnectionTimeout(5000);
    factory.setAutomaticRecoveryEnabled(false);
    return factory.newConnection("plain");
  }
}
