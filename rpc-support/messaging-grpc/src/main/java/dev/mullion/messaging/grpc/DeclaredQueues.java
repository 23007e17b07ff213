package dev.mullion.messaging.grpc;

import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.Route;
import java.lang.System.Logger.Level;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * The queues and groups of the engine, so that clients which come, declare and leave cannot fill it
 * with them. The engine is asked for those that are there before the first declaration, and when
 * the limit is reached, at most once a second: others may have deleted some. A declaration waits
 * for the list only a short time; a list that comes later counts when it comes. Until then there
 * may be names here that the engine does not have.
 */
final class DeclaredQueues {
  private static final long PATIENCE_SECONDS = 2;
  private static final long BETWEEN_LOOKS = TimeUnit.SECONDS.toNanos(1);
  /** After this time an engine that does not answer is asked again. */
  private static final long LONGEST_LOOK = TimeUnit.SECONDS.toNanos(60);

  private final int max;

  /** It is changed by those that hold this, and read by all. */
  private final Set<String> known = ConcurrentHashMap.newKeySet();

  // Guarded by this, which is not held while the engine is asked.
  private Set<String> sinceLook = new HashSet<>();
  private long nextLook = System.nanoTime();
  private boolean looked;
  private boolean asking;

  DeclaredQueues(int max) {
    this.max = max;
  }

  /**
   * Declares a queue or group, unless it were one too many.
   *
   * @throws UnsupportedSettingException if it does not exist, and there are {@code maxQueues}
   */
  void declare(Route.Queue queue, Declaration declaration, EngineLink link)
      throws MessagingException {
    String id = queue.id();
    Set<String> look = beginLook(id);
    if (look != null) {
      look(look, link);
    }
    boolean added = add(id);
    try {
      link.prepare(queue, declaration); // if it fails, the queue may be there: the next look tells
    } catch (UnsupportedSettingException never) {
      if (added) {
        remove(id);
      }
      throw never;
    }
    used(queue); // a list may be older
  }

  /** Declares a queue again that was deleted since: an engine may make it for a message. */
  void restore(Route.Queue queue, EngineLink link) throws MessagingException {
    if (!has(queue)) {
      declare(queue, Declaration.CHECK, link);
    }
  }

  /** Notes that a queue was used: it is there, even if it was deleted just before. */
  void used(Route.Queue queue) {
    if (!has(queue)) {
      note(queue.id());
    }
  }

  boolean has(Route.Queue queue) {
    return known.contains(queue.id());
  }

  CompletionStage<Void> delete(Route.Queue queue, EngineLink link) {
    boolean removed = remove(queue.id()); // before the engine does, which may make it anew then
    CompletionStage<Void> deleted;
    try {
      deleted = link.delete(queue);
    } catch (RuntimeException thrown) {
      notDeleted(queue, removed, thrown);
      throw thrown;
    }
    return deleted.whenComplete((done, error) -> notDeleted(queue, removed, error));
  }

  private void notDeleted(Route.Queue queue, boolean removed, @Nullable Throwable error) {
    if (removed && error != null && !(WireErrors.cause(error) instanceof MissingAddressException)) {
      note(queue.id());
    }
  }

  private synchronized boolean remove(String id) {
    sinceLook.remove(id);
    return known.remove(id);
  }

  private synchronized boolean note(String id) {
    sinceLook.add(id);
    return known.add(id);
  }

  /** Returns whether it was not known. */
  private synchronized boolean add(String id) throws UnsupportedSettingException {
    if (isOneTooMany(id)) {
      throw new UnsupportedSettingException("queues and groups: " + known.size() + " (expected: < "
          + max + ", the server's maxQueues, to declare " + id + ")");
    }
    return note(id);
  }

  private boolean isOneTooMany(String id) {
    return known.size() >= max && !known.contains(id);
  }

  /** Returns where names that come during a look are noted; null if none is due. */
  private synchronized @Nullable Set<String> beginLook(String id) {
    long now = System.nanoTime();
    if (now - nextLook < 0 || (looked && !isOneTooMany(id))) {
      return null;
    }
    nextLook = now + LONGEST_LOOK;
    if (!asking) { // else the answer of the list before counts too
      sinceLook = new HashSet<>();
    }
    asking = true;
    return sinceLook;
  }

  /** Asks the engine, and waits for a short time. */
  private void look(Set<String> look, EngineLink link) {
    try {
      link.queues()
          .whenComplete((queues, error) -> endLook(look, error == null ? queues : null))
          .toCompletableFuture()
          .get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (TimeoutException e) {
      log("the engine did not list its queues within " + PATIENCE_SECONDS + " s", e);
    } catch (ExecutionException e) {
      log("the engine does not list its queues", e.getCause());
    } catch (RuntimeException e) {
      endLook(look, null);
      log("the engine does not list its queues", e);
    }
  }

  private static void log(String text, @Nullable Throwable cause) {
    Logs.LOG.log(
        Logs.Event.ENGINE,
        Level.WARNING,
        null,
        () -> text + ": maxQueues counts those that were declared since the last list",
        cause);
  }

  /** Takes what the engine listed, if it did, and what was declared since. */
  @SuppressWarnings("ReferenceEquality") // whether it is the newest look
  private synchronized void endLook(Set<String> look, @Nullable List<QueueStatus> queues) {
    if (look != sinceLook) {
      return;
    }
    asking = false;
    nextLook = System.nanoTime() + BETWEEN_LOOKS;
    if (queues != null) {
      Set<String> there = new HashSet<>(look);
      queues.forEach(each -> there.add(Route.Queue.id(each.name(), each.source())));
      known.retainAll(there);
      known.addAll(there);
      looked = true;
    }
  }
}
