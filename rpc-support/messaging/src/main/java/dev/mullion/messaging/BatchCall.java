package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.WorkerBuilder.BatchDelivery;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** One call of a batch handler. */
final class BatchCall<T> extends HandlerCall<T> implements BatchDelivery<T> {
  private final List<Fetched<T>> all;
  private final Map<Fetched<T>, Throwable> failures = new ConcurrentHashMap<>();
  private List<Delivery<T>> handed = List.of();

  BatchCall(RunningSubscription<T> owner, List<Fetched<T>> all) {
    super(owner);
    this.all = all;
    all.forEach(each -> each.join(this));
  }

  /** Fixes what the handler gets: those that could be decoded. */
  void prepared() {
    List<Delivery<T>> open = new ArrayList<>(all.size());
    for (Fetched<T> each : all) {
      if (each.isRunning()) {
        open.add(each);
      }
    }
    handed = List.copyOf(open);
  }

  @Override
  public List<Delivery<T>> deliveries() {
    return handed;
  }

  @Override
  public void fail(Delivery<T> delivery, Throwable error) {
    requireNonNull(delivery, "delivery");
    requireNonNull(error, "error");
    if (!(delivery instanceof Fetched<T> fetched) || !fetched.belongsTo(this)) {
      throw new IllegalArgumentException(
          "delivery: " + delivery + " (expected: one of this batch of " + handed.size() + ")");
    }
    failures.putIfAbsent(fetched, error);
  }

  @Override
  @Nullable
  Throwable errorOf(Fetched<T> delivery, @Nullable Throwable thrown) {
    Throwable own = failures.get(delivery);
    return own != null ? own : thrown;
  }

  @Override
  int size() {
    return all.size();
  }

  @Override
  Fetched<T> get(int index) {
    return all.get(index);
  }
}
