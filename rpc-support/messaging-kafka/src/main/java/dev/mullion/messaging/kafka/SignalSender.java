package dev.mullion.messaging.kafka;

import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.jspecify.annotations.Nullable;

/**
 * Sends signals: through a bounded queue, on a thread of its own, with a producer that waits for no
 * answer. That producer can still block, for metadata or memory; then the queue fills, and what
 * does not fit is dropped.
 */
final class SignalSender implements Runnable {
  private final KafkaLink link;
  private final EngineContext context;
  private final int most;
  private final ArrayBlockingQueue<Item> waiting;
  private final AtomicInteger open = new AtomicInteger(); // here, or with the client
  private final Set<String> prepared = ConcurrentHashMap.newKeySet(); // its topics
  private final Thread thread;
  private @Nullable Producer<byte[], byte[]> producer; // of the thread
  private volatile boolean stopping;

  /** A signal, or else a question whether all before it was sent. */
  private record Item(
      Route.@Nullable Signal signal,
      @Nullable Message<byte[]> message,
      @Nullable CountDownLatch passed) {}

  SignalSender(KafkaLink link, EngineContext context) {
    this.link = link;
    this.context = context;
    this.most = link.settings().signalBuffer();
    this.waiting = new ArrayBlockingQueue<>(most);
    this.thread = new Thread(this, "mullion-kafka-signals");
    thread.setDaemon(true);
    thread.start();
  }

  /** Takes a signal; false if there is no room, here or on the way to the broker. */
  boolean offer(Route.Signal signal, Message<byte[]> message) {
    if (stopping) {
      return false;
    }
    if (open.incrementAndGet() > most) {
      open.decrementAndGet();
      return false;
    }
    Item item = new Item(signal, message, null);
    boolean taken = waiting.offer(item);
    if (taken && stopping && waiting.remove(item)) { // its thread may have ended
      taken = false;
    }
    if (!taken) {
      open.decrementAndGet();
    }
    return taken;
  }

  /** Waits until what was taken before has been sent, within a bound. */
  void flush(Duration timeout) {
    CountDownLatch passed = new CountDownLatch(1);
    try {
      if (waiting.offer(new Item(null, null, passed), timeout.toMillis(), TimeUnit.MILLISECONDS)) {
        boolean done = passed.await(timeout.toMillis(), TimeUnit.MILLISECONDS);
        if (!done) {
          link.failing("signals", new IllegalStateException("not sent within " + timeout));
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void run() {
    try {
      while (!stopping || !waiting.isEmpty()) {
        Item next = waiting.poll(100, TimeUnit.MILLISECONDS);
        if (next != null) {
          pass(next);
        }
      }
    } catch (InterruptedException e) {
      // The end.
    } finally {
      for (Item left = waiting.poll(); left != null; left = waiting.poll()) {
        leave(left);
      }
      Producer<byte[], byte[]> now = producer;
      if (now != null) {
        try {
          now.close(Duration.ofSeconds(1));
        } catch (RuntimeException e) {
          link.failing("signals", e);
        }
      }
    }
  }

  private void pass(Item item) {
    Route.Signal signal = item.signal;
    if (item.passed != null) {
      flush(item.passed);
    } else if (signal != null && item.message != null) {
      try {
        send(signal, item.message);
      } catch (Throwable e) { // the next ones are sent all the same
        dropped(signal, e);
      }
    }
  }

  /** Drops what there is no time for any more. */
  private void leave(Item item) {
    if (item.passed != null) {
      item.passed.countDown();
    } else if (item.signal != null) {
      dropped(item.signal, KafkaLink.ended());
    }
  }

  private void flush(CountDownLatch passed) {
    try {
      if (producer != null) {
        producer.flush();
      }
    } catch (RuntimeException e) { // the next ones are sent all the same
      link.failing("signals", e);
    } finally {
      passed.countDown();
    }
  }

  private void send(Route.Signal signal, Message<byte[]> message) throws MessagingException {
    String topic = link.names().signal(signal.name());
    if (!prepared.contains(topic)) {
      link.topology().ensure(List.of(link.topology().signals(topic)), "signal " + signal.name());
      prepared.add(topic);
    }
    if (producer == null) {
      producer = link.settings().producer(false);
    }
    ProducerRecord<byte[], byte[]> sent = Records.of(topic, message);
    producer.send(sent, (metadata, error) -> {
      if (error != null) {
        dropped(signal, error);
      } else {
        open.decrementAndGet();
      }
    });
  }

  /** A signal was not sent; the next one makes its topic again, if that was deleted. */
  private void dropped(Route.Signal signal, Throwable error) {
    open.decrementAndGet();
    if (Errors.maybeMissing(error)) {
      prepared.remove(link.names().signal(signal.name()));
    }
    link.failing("signal " + signal.name(), error);
    link.tell(() -> context.events().dropped(signal, 1));
  }

  void close(Duration timeout) {
    stopping = true;
    try {
      thread.join(Math.max(1, timeout.toMillis()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    thread.interrupt();
  }
}
