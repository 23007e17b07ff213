package dev.mullion.messaging;

import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Settlement;
import java.util.concurrent.CompletionStage;

/**
 * A message of a topic, which all its live subscribers share. It is delivered at most once, so the
 * engine is done with it when it is handed out.
 */
final class LiveMessage implements RawDelivery.Once {
  private final Message<byte[]> message;
  private final String address;
  final int bytes;
  final long expires; // nanoseconds of the clock; Times.NEVER for no limit

  LiveMessage(Message<byte[]> message, String address, long expires) {
    this.message = message;
    this.address = address;
    this.bytes = message.payload().length;
    this.expires = expires;
  }

  @Override
  public Message<byte[]> message() {
    return message;
  }

  @Override
  public String address() {
    return address;
  }

  @Override
  public CompletionStage<Settlement> settle(Outcome outcome) {
    return Parcel.APPLIED;
  }
}
