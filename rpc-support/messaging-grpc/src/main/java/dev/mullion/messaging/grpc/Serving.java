package dev.mullion.messaging.grpc;

import static java.util.stream.Collectors.joining;

import dev.mullion.messaging.engine.Engine;
import io.grpc.Context;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/** What all clients of one server share. */
final class Serving {
  /**
   * The limits of a server.
   *
   * @param maxClients connected clients
   * @param window frames of one client without an answer
   * @param windowBytes bytes of messages in them
   * @param maxMessageSize payload and headers of one message
   * @param maxCredit credit and unsettled deliveries of one subscription
   * @param maxUnsettledBytes messages that one client has or is to get, without an outcome
   * @param maxSubscriptions subscriptions of one client
   * @param maxQueues queues and groups in the engine, for clients to declare further ones
   * @param maxBacklog bytes of answers that wait for one client to read them
   * @param helloTimeout how long a client may take until its first frame
   */
  record Limits(
      int maxClients,
      int window,
      long windowBytes,
      int maxMessageSize,
      int maxCredit,
      long maxUnsettledBytes,
      int maxSubscriptions,
      int maxQueues,
      long maxBacklog,
      Duration helloTimeout) {}

  final Engine engine;
  final Limits limits;
  final Permissions permissions;
  final DeclaredQueues queues;

  /** Runs what may block, and writes of threads of the engine. */
  final ExecutorService executor;

  final Set<ServerSession> sessions = ConcurrentHashMap.newKeySet();
  final AtomicInteger clients = new AtomicInteger();

  final LongAdder settledInStop = new LongAdder();
  final LongAdder givenBackInStop = new LongAdder();
  final LongAdder lostInStop = new LongAdder();

  Serving(Engine engine, Limits limits, Permissions permissions, ExecutorService executor) {
    this.engine = engine;
    this.limits = limits;
    this.permissions = permissions;
    this.queues = new DeclaredQueues(limits.maxQueues());
    this.executor = executor;
  }

  /** Checks that a client may do one of these at least. */
  void check(Context context, String address, Permissions.Verb... anyOf)
      throws PermissionDeniedException {
    for (Permissions.Verb verb : anyOf) {
      if (allows(verb, address, context)) {
        return;
      }
    }
    String verbs = Arrays.stream(anyOf).map(Permissions.Verb::name).collect(joining(" and "));
    throw new PermissionDeniedException("permissions of the server deny " + verbs
        + (address.isEmpty() ? " of all queues" : " of " + address)
        + " (expected: allowed by MessagingServer's permissions)");
  }

  private boolean allows(Permissions.Verb verb, String address, Context context) {
    try {
      return permissions.allows(verb, address, context);
    } catch (RuntimeException thrown) {
      Logs.LOG.log(
          Logs.Event.PERMISSIONS,
          Level.WARNING,
          null,
          () -> "permissions failed for " + verb + " of " + address,
          thrown);
      return false;
    }
  }
}
