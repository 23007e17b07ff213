package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.MessagingException;

/** The broker has answered with a nack: a bounded queue is full, or a queue has failed. */
final class RejectedPublishException extends MessagingException {
  private static final long serialVersionUID = 1L;

  RejectedPublishException(String address) {
    super("the broker rejected a publish to " + address, null);
  }
}
