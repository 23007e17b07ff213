package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.Channel;
import java.io.IOException;

/** A channel that publishes, and what it has not confirmed. */
record Lane(Channel channel, Unconfirmed unconfirmed) {

  /** Which of a session's channels a message takes. */
  enum Kind {
    /** Topics, queues, settlements; here the messages of a sender keep their order. */
    PUBLISHING,
    /** Replies to these arrive on the same channel. */
    REQUESTS,
    /** Copies for a delay; a delay queue that is out of order holds up a whole channel. */
    DELAYS,
    /** Nothing is confirmed. */
    SIGNALS
  }

  static Lane open(Channel channel) {
    return new Lane(channel, new Unconfirmed());
  }

  static Lane confirmed(Channel channel) throws IOException {
    Unconfirmed of = new Unconfirmed();
    channel.confirmSelect();
    channel.addConfirmListener(
        (number, multiple) -> of.answered(number, multiple, true),
        (number, multiple) -> of.answered(number, multiple, false));
    channel.addReturnListener(returned ->
        of.returned(returned.getRoutingKey(), returned.getProperties().getMessageId()));
    return new Lane(channel, of);
  }
}
