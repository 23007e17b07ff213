package dev.mullion.messaging;

import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Sink;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;

/** A sink that keeps what it gets. */
final class RecordingSink implements Sink {
  final List<RawDelivery> deliveries = new CopyOnWriteArrayList<>();
  final AtomicLong dropped = new AtomicLong();
  volatile boolean busy;
  volatile Runnable busyLook = () -> {}; // called when an engine asks whether this is busy
  volatile boolean refuses;
  int seen; // of the deliveries, by a test
  final List<MessagingException> failures = new CopyOnWriteArrayList<>();

  @Override
  public void deliver(RawDelivery delivery) {
    if (refuses) {
      throw new IllegalStateException("no delivery, on purpose");
    }
    deliveries.add(delivery);
  }

  @Override
  public boolean isBusy() {
    busyLook.run();
    return busy;
  }

  @Override
  public void dropped(long messages) {
    dropped.addAndGet(messages);
  }

  @Override
  public void failed(MessagingException cause) {
    failures.add(cause);
  }

  RawDelivery last() {
    return deliveries.get(deliveries.size() - 1);
  }

  /** Returns the payloads of all deliveries, in order. */
  List<String> texts() {
    return deliveries.stream().map(RecordingSink::text).toList();
  }

  static String text(RawDelivery delivery) {
    return new String(delivery.message().payload(), StandardCharsets.UTF_8);
  }
}
