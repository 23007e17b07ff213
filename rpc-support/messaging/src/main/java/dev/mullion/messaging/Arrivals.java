package dev.mullion.messaging;

import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Sink;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What the engine calls about a subscription. */
final class Arrivals<T> implements Sink {
  private final RunningSubscription<T> owner;
  private final Inbox<T> inbox;
  private final @Nullable SlowConsumer<T> slow;
  private final @Nullable StuckMessages<T> stuck;
  private final int maxDeliveries;
  private final boolean keepsOrder;

  Arrivals(
      RunningSubscription<T> owner,
      SubscriptionPlan<T> plan,
      @Nullable SlowConsumer<T> slow,
      @Nullable StuckMessages<T> stuck) {
    this.owner = owner;
    this.inbox = owner.inbox();
    this.slow = slow;
    this.stuck = stuck;
    this.maxDeliveries = plan.rules().maxDeliveries();
    this.keepsOrder = plan.keepsKeyOrder();
  }

  @Override
  public void deliver(RawDelivery raw) {
    deliver(List.of(raw));
  }

  @Override
  public void deliver(List<? extends RawDelivery> raw) {
    RawDelivery[] all = raw.toArray(RawDelivery[]::new); // engines have lists of many kinds
    List<Fetched<T>> deliveries = new ArrayList<>(all.length);
    for (RawDelivery each : all) {
      deliveries.add(new Fetched<>(owner, each, maxDeliveries, keepsOrder));
    }
    switch (inbox.add(deliveries)) {
      case RETURNED -> deliveries.forEach(owner::giveBack);
      case KEPT_FOR_NEW_RUNNER -> {
        owner.startRunner();
        if (slow != null && owner.isBufferedInEngine()) { // it tells of nothing that waits
          slow.watch();
        }
      }
      case KEPT -> {
        if (slow != null) {
          slow.watch();
        }
      }
    }
    if (stuck != null) {
      stuck.watch();
    }
  }

  @Override
  public boolean isBusy() {
    return inbox.isBusy();
  }

  @Override
  public void dropped(long messages) {
    owner.dropped(messages);
  }

  @Override
  public void failed(MessagingException cause) {
    owner.failed(cause);
  }
}
