package dev.mullion.messaging.kafka;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.apache.kafka.common.TopicPartition;

/**
 * Calls that may still run although their deliveries were lost. Their messages must not run twice,
 * so their partitions hand out nothing meanwhile. Of one thread.
 */
final class Strays {
  private final List<Stray> all = new ArrayList<>();

  private record Stray(OrderedDelivery delivery, long until) {
    boolean isOver() {
      return !delivery.isCalled() || System.nanoTime() - until >= 0;
    }
  }

  /** Adds lost deliveries, which are awaited until that time of {@link System#nanoTime}. */
  void add(Collection<OrderedDelivery> lost, long until) {
    lost.forEach(each -> all.add(new Stray(each, until)));
  }

  /** Returns how many calls still run. */
  int count() {
    all.removeIf(Stray::isOver);
    return all.size();
  }

  /** Returns whether a call of this partition may still run, as last counted. */
  boolean has(TopicPartition place) {
    return all.stream().anyMatch(each -> each.delivery.place().equals(place));
  }
}
