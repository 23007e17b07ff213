package dev.mullion.messaging;

import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.Route;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The routes that the engine has prepared, so that only the first use of an address asks it. Only
 * success is remembered. At {@link #MOST} routes all are forgotten for the next one, since programs
 * may make names as they run. Callers with an equal route share one call; no lock is held then.
 */
final class Declared {
  static final int MOST = 10_000;

  private final EngineLink link;
  private volatile Memory memory = new Memory();

  Declared(EngineLink link) {
    this.link = link;
  }

  /** Prepares a route, unless that was done. */
  void prepare(Route route) throws MessagingException {
    Memory now = memory;
    if (!now.isRecent(route)) {
      if (now.routes.size() >= MOST && !now.routes.containsKey(route)) {
        now = afresh(now);
      }
      ask(now, route);
      now.setRecent(route);
    }
  }

  /** Returns whether a route is known to be prepared; it may be and not be known. */
  boolean isRecent(Route route) {
    return memory.isRecent(route);
  }

  /** Asks the engine even if the route was prepared, since others may have changed it. */
  void check(Route route) throws MessagingException {
    link.prepare(route, Declaration.CHECK);
  }

  /** Puts a declaration in place of an earlier one, whose users have to ask again. */
  void replace(Route.Queue queue) throws MessagingException {
    link.prepare(queue, Declaration.REPLACE);
    forget(queue);
  }

  /** Takes notice that a send failed: what another process has deleted is declared again. */
  void failed(Route route, Throwable error) {
    if (error instanceof MissingAddressException) {
      forget(route);
    }
  }

  /** Forgets a route, since it was deleted or replaced; of a queue, all its declarations. */
  synchronized void forget(Route forgotten) {
    Memory now = memory;
    if (now.routes.keySet().stream().noneMatch(route -> isSameAddress(route, forgotten))) {
      return; // another send that failed has done so
    }
    Memory fresh = new Memory();
    now.routes.forEach((route, prepared) -> {
      if (prepared.isDone() && !isSameAddress(route, forgotten)) {
        fresh.routes.put(route, prepared);
      }
    });
    memory = fresh;
  }

  private static boolean isSameAddress(Route one, Route other) {
    return (one instanceof Route.Queue queue && other instanceof Route.Queue another)
        ? queue.id().equals(another.id())
        : one.equals(other);
  }

  /** Forgets everything: the engine may have been restarted. */
  synchronized void forgetAll() {
    memory = new Memory();
  }

  private synchronized Memory afresh(Memory full) {
    if (memory == full) {
      memory = new Memory();
    }
    return memory;
  }

  private void ask(Memory now, Route route) throws MessagingException {
    CompletableFuture<@Nullable Void> own = new CompletableFuture<>();
    CompletableFuture<@Nullable Void> first = now.routes.putIfAbsent(route, own);
    if (first != null) {
      await(first);
      return;
    }
    try {
      link.prepare(route, Declaration.CHECK);
      own.complete(null);
    } catch (Throwable e) {
      now.routes.remove(route, own);
      own.completeExceptionally(e);
      throw e;
    }
  }

  /** Waits for another caller's question, which the engine bounds. */
  private static void await(CompletableFuture<?> first) throws MessagingException {
    try {
      first.join();
    } catch (CompletionException e) {
      Throwable cause = e.getCause();
      if (cause instanceof MessagingException failure) {
        throw failure;
      }
      if (cause instanceof RuntimeException failure) {
        throw failure;
      }
      throw e;
    }
  }

  /** What is prepared; replaced as a whole, so that a call under way adds nothing to a new one. */
  private static final class Memory {
    private static final int RECENT = 64;

    final ConcurrentHashMap<Route, CompletableFuture<@Nullable Void>> routes =
        new ConcurrentHashMap<>();

    // Queues by identity: the hash of such a route takes all of its settings. Races are harmless,
    // since routes are immutable and each slot is only ever a route that was prepared.
    private final @Nullable Route[] recent = new @Nullable Route[RECENT];

    boolean isRecent(Route route) {
      int slot = slot(route);
      Route known = recent[slot];
      if (known != route && route instanceof Route.Topic && route.equals(known)) {
        recent[slot] = route;
        return true;
      }
      return known == route;
    }

    void setRecent(Route route) {
      recent[slot(route)] = route;
    }

    private static int slot(Route route) {
      int hash = route instanceof Route.Topic topic
          ? topic.name().hashCode()
          : System.identityHashCode(route);
      return hash & (RECENT - 1);
    }
  }
}
