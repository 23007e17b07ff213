package dev.mullion.examples.readings;

import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.kafka.KafkaEngine;
import dev.mullion.messaging.rabbitmq.RabbitMqEngine;
import picocli.CommandLine.Option;

/** The broker that carries the messages, as users write it, and who takes part. */
final class BrokerOptions {
  private static final String KAFKA = "127.0.0.1:9092";
  private static final String RABBITMQ = "amqp://guest:guest@127.0.0.1:5672";

  @Option(
      names = "--engine",
      paramLabel = "NAME",
      required = true,
      description = "runs on a broker: kafka or rabbitmq")
  private Name engine;

  @Option(
      names = "--servers",
      paramLabel = "HOST:PORT,...",
      description = "where Kafka is (default: " + KAFKA + ")")
  private String servers;

  @Option(
      names = "--uri",
      paramLabel = "URI",
      description = "where RabbitMQ is (default: " + RABBITMQ + ")")
  private String uri;

  @Option(
      names = "--only",
      paramLabel = "SIDE",
      description = "one side in this process: sender, or receiver until Ctrl-C")
  private Side only;

  private enum Name {
    KAFKA,
    RABBITMQ
  }

  private enum Side {
    SENDER,
    RECEIVER
  }

  boolean sends() {
    return only != Side.RECEIVER;
  }

  boolean receives() {
    return only != Side.SENDER;
  }

  /** Connects. The rest of the program does not know to what. */
  Messaging start() throws MessagingException {
    if (engine == Name.KAFKA) {
      refuse("--uri", uri, "--servers");
      return Messaging.on(KafkaEngine.on(servers == null ? KAFKA : servers));
    }
    refuse("--servers", servers, "--uri");
    return Messaging.on(
        RabbitMqEngine.builder().uri(uri == null ? RABBITMQ : uri).build());
  }

  private void refuse(String option, String value, String other) {
    if (value != null) {
      throw new IllegalArgumentException(option + ": not of this engine (expected: " + other + ")");
    }
  }
}
