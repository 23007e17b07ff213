package dev.mullion.messaging;

import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Settlement;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.concurrent.CompletionStage;

/** A message for one live subscriber or receiver that was looked at: delivered at most once. */
final class LiveDelivery extends Parcel implements RawDelivery.Once {
  private static final VarHandle SETTLED;

  static {
    try {
      SETTLED = MethodHandles.lookup().findVarHandle(LiveDelivery.class, "settled", boolean.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final LiveSource source;
  private final LiveMessage message;
  long seen = Times.NEVER; // guarded by its source's lock: when a look at the buffer first found it

  @SuppressWarnings("unused") // by SETTLED
  private volatile boolean settled;

  LiveDelivery(LiveSource source, LiveMessage message) {
    this.source = source;
    this.message = message;
  }

  /** Returns this message for another receiver. */
  LiveDelivery to(LiveSource other) {
    return other == source && !settled ? this : new LiveDelivery(other, message);
  }

  int bytes() {
    return message.bytes;
  }

  boolean isExpired(MessagingClock clock) {
    return Times.isPast(message.expires, clock);
  }

  /** Counts it as dropped by its receiver. */
  void countDropped() {
    source.reportDropped(1);
  }

  @Override
  List<LiveDelivery> deliveries() {
    return List.of(this);
  }

  @Override
  void takeBack() {
    settle(new Outcome.GiveBack(false));
  }

  @Override
  public CompletionStage<Settlement> settle(Outcome outcome) {
    if (!SETTLED.compareAndSet(this, false, true)) {
      return LEASE_LOST;
    }
    if (outcome instanceof Outcome.GiveBack back && !back.counted()) {
      source.returned(this);
    }
    return APPLIED;
  }

  @Override
  public Message<byte[]> message() {
    return message.message();
  }

  @Override
  public String address() {
    return message.address();
  }
}
