package dev.mullion.messaging;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A queue that hands out its messages against credit, on the thread that gives or pushes. */
final class ScriptedSource implements Source {
  final ConsumerSettings settings;
  final Sink sink;
  final CompletableFuture<Void> ready = new CompletableFuture<>();
  final AtomicInteger requests = new AtomicInteger();
  final AtomicInteger cancels = new AtomicInteger();
  final AtomicInteger closes = new AtomicInteger();
  volatile Supplier<Buffer> buffer = () -> Buffer.EMPTY;
  private final ArrayDeque<ScriptedDelivery> waiting = new ArrayDeque<>();
  private int credit;
  private @Nullable Thread delivering;
  private int failingRequests;

  ScriptedSource(ConsumerSettings settings, Sink sink) {
    this.settings = settings;
    this.sink = sink;
  }

  /** Pushes a message, which is delivered when there is credit. */
  ScriptedDelivery push(ScriptedDelivery delivery) {
    synchronized (this) {
      waiting.add(delivery);
    }
    deliver();
    return delivery;
  }

  /** Pushes one message for each text. */
  List<ScriptedDelivery> push(String... texts) {
    List<ScriptedDelivery> pushed = new ArrayList<>();
    for (String text : texts) {
      pushed.add(push(ScriptedDelivery.of("q", text)));
    }
    return pushed;
  }

  /** Delivers in order: one thread at a time, and what others allow meanwhile too. */
  private void deliver() {
    while (true) {
      ScriptedDelivery next;
      synchronized (this) {
        if (delivering != null || credit == 0 || cancels.get() > 0 || waiting.isEmpty()) {
          return;
        }
        credit--;
        next = waiting.remove();
        delivering = Thread.currentThread();
      }
      sink.deliver(next);
      synchronized (this) {
        delivering = null;
      }
    }
  }

  synchronized int credit() {
    return credit;
  }

  synchronized int waiting() {
    return waiting.size();
  }

  synchronized void failRequests(int count) {
    failingRequests = count;
  }

  @Override
  public void request(int deliveries) {
    synchronized (this) {
      if (failingRequests > 0) {
        failingRequests--;
        throw new IllegalStateException("request fails by script");
      }
      credit += deliveries;
    }
    requests.incrementAndGet();
    deliver();
  }

  @Override
  public CompletionStage<Void> ready() {
    return ready;
  }

  @Override
  public Buffer buffer() {
    return buffer.get();
  }

  @Override
  public void cancel() {
    cancels.incrementAndGet();
    Receiving.await("the delivery under way", () -> {
      synchronized (this) {
        return delivering == null || delivering == Thread.currentThread();
      }
    });
  }

  @Override
  public void close() {
    closes.incrementAndGet();
  }
}
