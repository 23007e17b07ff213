package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.Message;
import dev.mullion.messaging.engine.EngineEvents;
import dev.mullion.messaging.engine.Route;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Sends signals from a bounded queue on a thread of its own, which is the only one that may wait
 * for the connection. What the queue has no room for is dropped.
 */
final class SignalSender implements AutoCloseable {
  private static final long MOST_BYTES = 64L << 20;
  private static final long LOOK_NANOS = 50_000_000;
  private static final long GATE_MILLIS = 50;

  private final Entities entities;
  private final int buffer;
  private final EngineEvents events;
  private final WriteGate gate;
  private final Supplier<@Nullable Session> current;
  private final ConcurrentLinkedQueue<Sent> queue = new ConcurrentLinkedQueue<>();
  private final AtomicInteger number = new AtomicInteger();
  private final AtomicLong bytes = new AtomicLong();
  private final Thread thread;
  private volatile boolean parked;
  private volatile boolean closed;

  private record Sent(Route.Signal signal, Message<byte[]> message) {}

  SignalSender(
      RabbitMqEngine engine,
      EngineEvents events,
      WriteGate gate,
      Supplier<@Nullable Session> current) {
    this.entities = engine.entities();
    this.buffer = engine.signalBuffer();
    this.events = events;
    this.gate = gate;
    this.current = current;
    this.thread = Threads.named("signal").newThread(this::run);
  }

  void start() {
    thread.start();
  }

  /** Takes a signal, or returns false; waits for nothing. */
  boolean offer(Route.Signal signal, Message<byte[]> message) {
    if (closed || usable() == null) {
      return false;
    }
    int length = message.payload().length;
    if (number.incrementAndGet() > buffer) {
      number.decrementAndGet();
      return false;
    }
    if (bytes.addAndGet(length) > MOST_BYTES) {
      number.decrementAndGet();
      bytes.addAndGet(-length);
      return false;
    }
    queue.add(new Sent(signal, message));
    if (parked) {
      LockSupport.unpark(thread);
    }
    return true;
  }

  private void run() {
    while (true) {
      awaitGate();
      Sent next = queue.poll();
      if (next != null) {
        number.decrementAndGet();
        bytes.addAndGet(-next.message().payload().length);
        send(next);
      } else if (closed) {
        return;
      } else {
        parked = true;
        if (queue.isEmpty() && !closed) {
          LockSupport.parkNanos(this, LOOK_NANOS);
        }
        parked = false;
      }
    }
  }

  /** There is nothing to wait for when the broker blocks publishers, or is away. */
  private void awaitGate() {
    while (!gate.isOpen() && usable() != null) {
      try {
        gate.awaitOpen(GATE_MILLIS);
      } catch (InterruptedException e) {
        // Nobody does that: the loop looks.
      }
    }
  }

  /** Returns the session; null if the broker is away or blocks publishers. */
  private @Nullable Session usable() {
    Session session = current.get();
    return session == null || session.isBlocked() ? null : session;
  }

  private void send(Sent next) {
    Session session = usable();
    if (session == null) {
      events.dropped(next.signal(), 1);
      return;
    }
    try {
      Wire.Outgoing out = Wire.first(next.message());
      session
          .lane(Lane.Kind.SIGNALS)
          .channel()
          .basicPublish("", entities.signal(next.signal().name()), true, out.build(), out.body);
    } catch (IllegalArgumentException e) { // headers that do not fit
      events.dropped(next.signal(), 1);
      Logs.warn("signal", "a signal to " + next.signal().name() + " cannot be sent", e);
    } catch (IOException | RuntimeException e) {
      events.dropped(next.signal(), 1);
      if (!BrokerErrors.isChannelError(e)) {
        session.fail(e);
      }
    }
  }

  /** The broker had no receiver for one. */
  void returned(String routingKey) {
    String start = entities.signal("");
    if (routingKey.startsWith(start)) {
      events.dropped(new Route.Signal(routingKey.substring(start.length())), 1);
    }
  }

  /** Sends what is queued, within a bound, and ends the thread. */
  void close(Duration timeout) {
    closed = true;
    LockSupport.unpark(thread);
    try {
      thread.join(Math.max(1, Math.min(Wire.millis(timeout), 10_000)));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    close(Duration.ofSeconds(1));
  }
}
