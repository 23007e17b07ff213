/** A messaging engine on Kafka. */
module dev.mullion.messaging.kafka {
  exports dev.mullion.messaging.kafka;

  requires transitive dev.mullion.framing;
  requires transitive dev.mullion.messaging;
  requires kafka.clients;
  requires static io.netty.handler;
  requires static micrometer.core;
  requires static transitive org.jspecify;
}
