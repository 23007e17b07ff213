package dev.mullion.messaging.kafka;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.WorkQueue;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;

/**
 * A worker of {@link LossProof} in a process of its own: {@code LossWorker SERVERS}. It prints each
 * job that it has handled before it acknowledges it, and each one that fails.
 */
final class LossWorker {
  static final int MAX_DELIVERIES = 5;
  static final WorkQueue<String> JOBS = queue("jobs", MAX_DELIVERIES);
  static final List<WorkQueue<String>> FAILING =
      List.of(queue("failing-1", 1), queue("failing-2", 2), queue("failing-5", 5));

  private static final FileOutputStream OUT = new FileOutputStream(FileDescriptor.out);

  private LossWorker() {}

  private static WorkQueue<String> queue(String name, int maxDeliveries) {
    return WorkQueue.builder(name, Codecs.utf8())
        .redelivery(Redelivery.constant(maxDeliveries, Duration.ofMillis(20)))
        .build();
  }

  static KafkaEngine engine(String servers) {
    return KafkaEngine.builder(servers)
        .healthInterval(Duration.ofMillis(500))
        .deliveryTimeout(Duration.ofSeconds(60))
        .build();
  }

  /** Runs until it is killed, or its standard input ends. */
  public static void main(String[] args) throws Exception {
    start(args[0]);
    tell("ready");
    while (System.in.read() >= 0) {
      // lives until its parent is gone
    }
    Runtime.getRuntime().halt(0);
  }

  /** Starts all, once more if the server is killed meanwhile. */
  private static Messaging start(String servers) throws MessagingException {
    for (int attempt = 1; ; attempt++) {
      Messaging messaging = null;
      try {
        messaging = Messaging.on(engine(servers));
        messaging.worker(JOBS).concurrency(8).prefetch(32).start(LossWorker::handle);
        for (WorkQueue<String> queue : FAILING) {
          messaging.worker(queue).concurrency(4).start(LossWorker::handle);
        }
        return messaging;
      } catch (MessagingException e) {
        tell("not started: " + e.getMessage());
        if (messaging != null) {
          messaging.stop(Duration.ZERO);
        }
        if (attempt == 20) {
          throw e;
        }
      }
    }
  }

  private static void handle(Delivery<String> job) {
    if (job.payload().startsWith("fail")) {
      tell("failed " + job.payload());
      throw new IllegalStateException(job.payload());
    }
    tell("handled " + job.payload());
  }

  /** Writes a line at once, and whole. */
  private static synchronized void tell(String line) {
    try {
      OUT.write((line + "\n").getBytes(StandardCharsets.US_ASCII));
    } catch (IOException e) {
      throw new IllegalStateException("not told: " + line, e);
    }
  }
}
