package dev.mullion.messaging.grpc;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;

/** Threads of this module: as many as there is work for, which is short or bounded. */
final class Threads {
  /** Those of all clients of this process; they end when they have nothing to do for a minute. */
  static final ExecutorService OF_CLIENTS = daemons("mullion-messaging-client-");

  private Threads() {}

  static ExecutorService daemons(String name) {
    AtomicLong count = new AtomicLong();
    return Executors.newCachedThreadPool(task -> {
      Thread thread = new Thread(task, name + count.incrementAndGet());
      thread.setDaemon(true);
      return thread;
    });
  }
}
