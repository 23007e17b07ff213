package dev.mullion.messaging;

import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.Route;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** The queues and groups of a broker by their identity. */
final class QueueRegistry {
  private final EmbeddedBroker broker;
  private final Hub hub;
  private final @Nullable Commits commits;
  private final DeferringLock lock = new DeferringLock(); // for changes; nothing waits under it
  private final Map<String, Entry> entries = new ConcurrentHashMap<>();
  private int lastNumber;
  private @Nullable BrokerAwayException closed;

  QueueRegistry(EmbeddedBroker broker, Hub hub, @Nullable Commits commits) {
    this.broker = broker;
    this.hub = hub;
    this.commits = commits;
  }

  /** Adds what the store has. */
  void restore(List<Store.Contents> stored) {
    for (Store.Contents contents : stored) {
      Route.Queue route = contents.queue().declaration();
      Entry entry = new Entry(queue(route, contents.queue().number()), Parcel.DONE);
      lastNumber = Math.max(lastNumber, contents.queue().number());
      entry.queue.restore(contents.jobs(), contents.deadLetters());
      entries.put(route.id(), entry);
      route.source().ifPresent(topic -> hub.add(entry.queue, topic));
    }
  }

  private JobQueue queue(Route.Queue route, int number) {
    return new JobQueue(
        route, broker, commits == null ? null : new JobStorage(commits, broker.clock(), number));
  }

  @Nullable
  JobQueue find(String id) {
    Entry entry = entries.get(id);
    return entry == null ? null : entry.queue;
  }

  /** Returns a queue to push to; it is declared if it is not there. */
  JobQueue forPush(Route.Queue route) throws BrokerAwayException {
    JobQueue queue = find(route.id());
    if (queue != null) {
      return queue;
    }
    lock.enter();
    try {
      return declareAbsent(route).queue;
    } finally {
      lock.leave(true);
    }
  }

  /**
   * Declares a queue or group.
   *
   * @return a stage that completes when the declaration is on disk
   */
  CompletionStage<Void> declare(Route.Queue route, Declaration declaration)
      throws MessagingException {
    lock.enter();
    try {
      Entry entry = declareAbsent(route);
      Route.Queue declared = entry.queue.route();
      if (declared.equals(route)) {
        return entry.onDisk;
      }
      if (declaration == Declaration.CHECK) {
        throw QueueDifferences.between(route, declared);
      }
      return replace(entry.queue, route);
    } finally {
      lock.leave(true);
    }
  }

  private Entry declareAbsent(Route.Queue route) throws BrokerAwayException {
    Entry known = entries.get(route.id());
    if (known != null) {
      return known;
    }
    if (closed != null) {
      throw closed;
    }
    JobQueue queue = queue(route, ++lastNumber);
    Entry entry = new Entry(queue, store(queue, route));
    entries.put(route.id(), entry); // after its step, so that no job's step comes before it
    route.source().ifPresent(topic -> hub.add(queue, topic));
    return entry;
  }

  private static CompletionStage<Void> store(JobQueue queue, Route.Queue route) {
    JobStorage storage = queue.storage();
    return storage == null ? Parcel.DONE : storage.apply(List.of(storage.declare(route)));
  }

  private CompletionStage<Void> replace(JobQueue queue, Route.Queue route) {
    String before = queue.route().source().orElse(null);
    String after = route.source().orElse(null);
    CompletionStage<Void> onDisk = store(queue, route);
    lock.later(queue.redeclare(route));
    if (before != null && after != null && !before.equals(after)) {
      hub.move(queue, before, after);
    }
    entries.put(route.id(), new Entry(queue, onDisk));
    return onDisk;
  }

  /** Deletes a queue or group. */
  CompletionStage<Void> delete(String id) {
    lock.enter();
    try {
      Entry entry = entries.remove(id);
      if (entry == null) {
        return Parcel.DONE;
      }
      JobQueue queue = entry.queue;
      queue.route().source().ifPresent(topic -> hub.remove(queue, topic));
      lock.later(() -> queue.end(new MissingAddressException("queue " + id + " was deleted")));
      JobStorage storage = queue.storage();
      return storage == null ? Parcel.DONE : storage.apply(List.of(storage.delete()));
    } finally {
      lock.leave(true);
    }
  }

  /** Ends all queues. */
  void close(BrokerAwayException cause) {
    lock.enter();
    try {
      closed = cause;
    } finally {
      lock.leave(true);
    }
    entries.values().forEach(entry -> entry.queue.end(cause));
    entries.clear();
  }

  /** Returns all queues and groups. */
  Collection<JobQueue> all() {
    return entries.values().stream().map(Entry::queue).toList();
  }

  /** A queue, and the stage of its declaration. */
  private record Entry(JobQueue queue, CompletionStage<Void> onDisk) {}
}
