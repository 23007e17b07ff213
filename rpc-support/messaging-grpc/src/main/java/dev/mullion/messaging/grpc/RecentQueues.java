package dev.mullion.messaging.grpc;

import dev.mullion.messaging.engine.Route;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * The queues and groups that a client has declared, and when it last sent to them. A new connection
 * has to know those that messages wait for, and groups, which get messages that others publish.
 * Other queues are declared again when they are used: they may have been deleted long ago.
 */
final class RecentQueues {
  private static final int MOST = 10_000;
  private static final long MARGIN = TimeUnit.SECONDS.toNanos(1);

  private final long keep;
  private final Map<String, Used> used = new ConcurrentHashMap<>();

  private static final class Used {
    final Route.Queue queue;
    volatile long at;

    Used(Route.Queue queue, long at) {
      this.queue = queue;
      this.at = at;
    }

    boolean isQueue() {
      return queue.source().isEmpty();
    }
  }

  /**
   * Creates it.
   *
   * @param mostWaiting how long a message may wait, in nanoseconds
   */
  RecentQueues(long mostWaiting) {
    this.keep = 2 * mostWaiting + MARGIN;
  }

  /** Notes that a queue is used; returns false if it has to be declared first. */
  boolean use(Route.Queue queue, long now) {
    Used known = used.get(queue.id());
    if (known != null) {
      known.at = now;
    }
    return known != null;
  }

  /** Adds a queue whose declaration is on its way. */
  void add(Route.Queue queue, long now) {
    if (used.size() >= MOST && !used.containsKey(queue.id())) {
      used.values().removeIf(Used::isQueue);
      if (used.size() >= MOST) {
        used.clear();
      }
    }
    used.put(queue.id(), new Used(queue, now));
  }

  void remove(Route.Queue queue) {
    used.remove(queue.id());
  }

  /** Returns groups, and queues that a message may wait for; forgets the others. */
  List<Route.Queue> recent(long now) {
    used.values().removeIf(each -> each.isQueue() && now - each.at > keep);
    return used.values().stream().map(each -> each.queue).toList();
  }
}
