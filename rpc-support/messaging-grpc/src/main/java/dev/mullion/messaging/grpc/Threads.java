package dev.mullion.messaging.grpc;

import dev.mullion.net.base.DaemonThreads;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Threads of this module: as many as there is work for, which is short or bounded. */
final class Threads {
  /** Those of all clients of this process; they end when they have nothing to do for a minute. */
  static final ExecutorService OF_CLIENTS = daemons("mullion-messaging-client-");

  private Threads() {}

  static ExecutorService daemons(String name) {
    return Executors.newCachedThreadPool(DaemonThreads.numbered(name));
  }
}
