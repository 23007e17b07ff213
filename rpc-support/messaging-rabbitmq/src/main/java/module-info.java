/** RabbitMQ as an engine of messaging. */
module dev.mullion.messaging.rabbitmq {
  exports dev.mullion.messaging.rabbitmq;

  requires transitive com.rabbitmq.client;
  requires transitive dev.mullion.messaging;
  requires transitive dev.mullion.framing;
  requires io.netty.buffer;
  requires io.netty.handler;
  requires io.netty.transport;
  requires static micrometer.core;
  requires static transitive org.jspecify;
}
