package dev.mullion.messaging;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** The receivers of one signal, which share its messages. To send takes only short locks. */
final class SignalQueue implements LiveOwner {
  private final AtomicInteger turn = new AtomicInteger();
  private volatile LiveSource[] receivers = {};

  /** Adds a receiver. */
  synchronized void add(LiveSource receiver) {
    List<LiveSource> all = new ArrayList<>(List.of(receivers));
    all.add(receiver);
    receivers = all.toArray(LiveSource[]::new);
  }

  @Override
  public synchronized void removed(LiveSource receiver) {
    List<LiveSource> all = new ArrayList<>(List.of(receivers));
    all.remove(receiver);
    receivers = all.toArray(LiveSource[]::new);
  }

  boolean isUnused() {
    return receivers.length == 0;
  }

  /** Gives a message to one receiver; false if it was dropped. */
  boolean send(Message<byte[]> message, String name, MessagingClock clock) {
    LiveSource[] all = receivers;
    if (all.length == 0) {
      return false;
    }
    int first = all.length == 1 ? 0 : (turn.getAndIncrement() & Integer.MAX_VALUE) % all.length;
    LiveSource receiver = all[first];
    LiveMessage sent = new LiveMessage(message, name, Times.expiry(message, clock));
    return offer(all, first, new LiveDelivery(receiver, sent));
  }

  /**
   * Offers first to those with credit, then to those with room, then to the one whose turn it is.
   */
  private static boolean offer(LiveSource[] all, int first, LiveDelivery message) {
    return (all.length > 1
            && (offer(all, first, message, LiveSource.Room.CREDIT)
                || offer(all, first, message, LiveSource.Room.BUFFER)))
        || all[first].offer(message.to(all[first]), LiveSource.Room.ANY) == LiveSource.Offer.TAKEN;
  }

  private static boolean offer(
      LiveSource[] all, int first, LiveDelivery message, LiveSource.Room room) {
    for (int i = 0; i < all.length; i++) {
      LiveSource receiver = all[(first + i) % all.length];
      if (receiver.offer(message.to(receiver), room) == LiveSource.Offer.TAKEN) {
        return true;
      }
    }
    return false;
  }

  @Override
  public void returned(LiveDelivery message) {
    LiveSource[] all = receivers;
    if (all.length == 0 || !offer(all, 0, message.to(all[0]))) {
      message.countDropped();
    }
  }

  @Override
  public boolean passesOn() {
    return true;
  }
}
