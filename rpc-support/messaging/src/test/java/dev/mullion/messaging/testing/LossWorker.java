package dev.mullion.messaging.testing;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.engine.Engine;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * A worker of a {@link LossSuite} in a process of its own: {@code LossWorker ENGINE ADDRESS}. It
 * prints each job that it has handled before it acknowledges it, and each one that fails.
 */
final class LossWorker {
  static final int MAX_DELIVERIES = 5;
  static final WorkQueue<String> JOBS = queue("jobs", MAX_DELIVERIES);
  static final List<WorkQueue<String>> FAILING = List.of(
      queue("failing-1", 1),
      queue("failing-2", 2),
      queue("failing-5", 5),
      ordered("failing-ordered", 3));
  static final WorkQueue<String> ORDERED = ordered("ordered", MAX_DELIVERIES);

  private static final FileOutputStream OUT = new FileOutputStream(FileDescriptor.out);

  private LossWorker() {}

  private static WorkQueue<String> queue(String name, int maxDeliveries) {
    return builder(name, maxDeliveries).build();
  }

  private static WorkQueue<String> ordered(String name, int maxDeliveries) {
    return builder(name, maxDeliveries).ordered(true).build();
  }

  private static WorkQueue.Builder<String> builder(String name, int maxDeliveries) {
    return WorkQueue.builder(name, Codecs.utf8())
        .redelivery(Redelivery.constant(maxDeliveries, Duration.ofMillis(20)));
  }

  /** Runs until it is killed, or its standard input ends. */
  public static void main(String[] args) throws Exception {
    start(LossEngine.of(Class.forName(args[0]).asSubclass(LossEngine.class), args[1])
        .engine());
    tell("ready");
    while (System.in.read() >= 0) {
      // lives until its parent is gone
    }
    Runtime.getRuntime().halt(0);
  }

  /** Starts all, once more if the engine's process is killed meanwhile. */
  private static void start(Engine engine) throws MessagingException {
    for (int attempt = 1; ; attempt++) {
      Messaging messaging = null;
      try {
        messaging = Messaging.on(engine);
        messaging.worker(JOBS).concurrency(8).prefetch(32).start(LossWorker::handle);
        messaging.worker(ORDERED).concurrency(4).prefetch(16).start(LossWorker::handleOrdered);
        for (WorkQueue<String> queue : FAILING) {
          messaging.worker(queue).concurrency(4).start(LossWorker::handle);
        }
        return;
      } catch (MessagingException e) {
        tell("not started: " + e.getMessage());
        if (messaging != null) {
          messaging.stop(Duration.ZERO);
        }
        if (attempt == 20) {
          throw e;
        }
        LockSupport.parkNanos(1_000_000_000);
      }
    }
  }

  private static void handle(Delivery<String> job) {
    if (job.payload().startsWith("fail")) {
      tell("failed " + job.deliveryCount() + ' ' + job.payload());
      throw new IllegalStateException(job.payload());
    }
    tell("handled " + job.payload());
  }

  private static void handleOrdered(Delivery<String> job) {
    tell("ordered " + System.nanoTime() + ' ' + job.payload());
    if (OrderedJobs.fails(job.payload())) {
      throw new IllegalStateException(job.payload());
    }
  }

  /** Writes a line at once, and whole. */
  private static synchronized void tell(String line) {
    try {
      OUT.write((line + "\n").getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new IllegalStateException("not told: " + line, e);
    }
  }
}
