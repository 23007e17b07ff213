package dev.mullion.messaging.grpc;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.Route;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The queues and groups of the engine, so that clients which come, declare and leave cannot fill it
 * with them. The engine is asked for those that are there before the first declaration, and when
 * the limit is reached, at most once a second: others may have deleted some.
 */
final class DeclaredQueues {
  private static final long ANSWER_SECONDS = 10;
  private static final long BETWEEN_LOOKS = TimeUnit.SECONDS.toNanos(1);

  private final int max;

  // Guarded by this, which is not held while the engine is asked.
  private final Set<String> known = new HashSet<>();
  private long lastLook = System.nanoTime() - BETWEEN_LOOKS;
  private boolean looked;

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
    boolean added = add(queue, link);
    boolean done = false;
    try {
      link.prepare(queue, declaration);
      done = true;
    } finally {
      if (added && !done) {
        deleted(queue);
      }
    }
  }

  synchronized void deleted(Route.Queue queue) {
    known.remove(queue.id());
  }

  /** Returns whether the queue was not known, and is now. */
  private boolean add(Route.Queue queue, EngineLink link) throws MessagingException {
    if (isLookDue(queue)) {
      replace(ask(link));
    }
    synchronized (this) {
      if (known.size() >= max && !known.contains(queue.id())) {
        throw new UnsupportedSettingException("queues and groups: " + known.size()
            + " (expected: < " + max + ", the server's maxQueues, to declare " + queue.id() + ")");
      }
      return known.add(queue.id());
    }
  }

  private synchronized boolean isLookDue(Route.Queue queue) {
    boolean due = !looked
        || (known.size() >= max
            && !known.contains(queue.id())
            && System.nanoTime() - lastLook >= BETWEEN_LOOKS);
    if (due) {
      lastLook = System.nanoTime();
    }
    return due;
  }

  private synchronized void replace(List<QueueStatus> queues) {
    known.clear();
    queues.forEach(each -> known.add(Route.Queue.id(each.name(), each.source())));
    looked = true;
  }

  private static List<QueueStatus> ask(EngineLink link) throws MessagingException {
    try {
      return link.queues().toCompletableFuture().get(ANSWER_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof MessagingException named) {
        throw named;
      }
      throw new BrokerAwayException("the engine does not list its queues", e.getCause(), false);
    } catch (TimeoutException e) {
      throw new BrokerAwayException(
          "the engine did not list its queues within " + ANSWER_SECONDS + " s", e, false);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BrokerAwayException("interrupted while the engine lists its queues", e, false);
    }
  }
}
