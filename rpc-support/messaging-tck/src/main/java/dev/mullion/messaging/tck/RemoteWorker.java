package dev.mullion.messaging.tck;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * A worker in a process of its own, which the suite kills: arguments are the class of the {@link
 * RemoteEngine}, its address, the queue's name, {@code maxDeliveries}, {@code concurrency} and
 * {@code prefetch}. What a job does is its payload's first word: {@code hold} never returns,
 * {@code fail} throws, {@code poison} ends the process, anything else is handled. Each is told by a
 * line.
 */
final class RemoteWorker {
  private static final Set<String> RUNNING = ConcurrentHashMap.newKeySet();

  private RemoteWorker() {}

  /** Runs until it is killed, or its standard input ends. */
  public static void main(String[] args) throws Exception {
    RemoteEngine remote = Class.forName(args[0])
        .asSubclass(RemoteEngine.class)
        .getDeclaredConstructor()
        .newInstance();
    WorkQueue<String> queue = queue(args[2], Integer.parseInt(args[3]));
    Messaging messaging = Messaging.on(remote.open(args[1]));
    Subscription worker = messaging
        .worker(queue)
        .concurrency(Integer.parseInt(args[4]))
        .prefetch(Integer.parseInt(args[5]))
        .start(RemoteWorker::handle);
    worker.ready().toCompletableFuture().get(30, TimeUnit.SECONDS);
    tell("ready");
    while (System.in.read() >= 0) {
      // Lives until its parent is gone.
    }
    Runtime.getRuntime().halt(0);
  }

  static WorkQueue<String> queue(String name, int maxDeliveries) {
    return WorkQueue.builder(name, Codecs.utf8())
        .redelivery(Redelivery.constant(maxDeliveries, Duration.ofMillis(50)))
        .handlerTimeout(Duration.ofMinutes(1))
        .build();
  }

  private static void handle(Delivery<String> delivery) throws InterruptedException {
    String job = delivery.payload() + " " + delivery.deliveryCount();
    Set<String> others = Set.copyOf(RUNNING);
    RUNNING.add(delivery.payload());
    try {
      if (delivery.deliveryCount() > 1 && !others.isEmpty()) {
        tell("not alone: " + job + " beside " + others);
      }
      tell("begun " + job);
      if (job.startsWith("hold")) {
        new CountDownLatch(1).await();
      } else if (job.startsWith("fail")) {
        tell("failed " + job);
        throw new IllegalStateException(job);
      } else if (job.startsWith("poison")) {
        Runtime.getRuntime().halt(9);
      }
      tell("handled " + job);
    } finally {
      RUNNING.remove(delivery.payload());
    }
  }

  private static synchronized void tell(String line) {
    System.out.println(line);
    System.out.flush();
  }
}
