package dev.mullion.messaging;

import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Settlement;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.CompletionStage;

/** A message for one live subscriber or receiver: delivered at most once. */
final class LiveDelivery extends Parcel {
  private static final VarHandle SETTLED;

  static {
    try {
      SETTLED = MethodHandles.lookup().findVarHandle(LiveDelivery.class, "settled", boolean.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final LiveSource source;
  private final Message<byte[]> message;
  private final String address;
  final long expires; // nanoseconds of the clock; Times.NEVER for no limit
  long seen = Times.NEVER; // guarded by its source's lock: when a look at the buffer first found it

  @SuppressWarnings("unused") // by SETTLED
  private volatile boolean settled;

  LiveDelivery(LiveSource source, Message<byte[]> message, String address, long expires) {
    this.source = source;
    this.message = message;
    this.address = address;
    this.expires = expires;
  }

  /** Returns this message for another receiver. */
  LiveDelivery to(LiveSource other) {
    return other == source && !settled ? this : new LiveDelivery(other, message, address, expires);
  }

  /** Counts it as dropped by its receiver. */
  void countDropped() {
    source.reportDropped(1);
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
    source.settled(this, outcome);
    return APPLIED;
  }

  @Override
  public Message<byte[]> message() {
    return message;
  }

  @Override
  public String address() {
    return address;
  }
}
