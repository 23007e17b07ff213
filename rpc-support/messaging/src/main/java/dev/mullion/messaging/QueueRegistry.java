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
  private final Object lock = new Object(); // for changes; nothing waits under it
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
      Entry entry = entry(route, contents.queue().number(), Parcel.DONE);
      lastNumber = Math.max(lastNumber, contents.queue().number());
      entry.queue.restore(contents.jobs(), contents.deadLetters());
      entries.put(route.id(), entry);
      route.source().ifPresent(topic -> hub.add(entry.queue, topic));
    }
  }

  private Entry entry(Route.Queue route, int number, CompletionStage<Void> onDisk) {
    JobStorage storage = commits == null ? null : new JobStorage(commits, broker.clock(), number);
    return new Entry(new JobQueue(route, broker, storage), storage, onDisk);
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
    synchronized (lock) {
      return declareAbsent(route).queue;
    }
  }

  /**
   * Declares a queue or group.
   *
   * @return a stage that completes when the declaration is on disk
   */
  CompletionStage<Void> declare(Route.Queue route, Declaration declaration)
      throws MessagingException {
    synchronized (lock) {
      Entry entry = declareAbsent(route);
      Route.Queue declared = entry.queue.route();
      if (declared.equals(route)) {
        return entry.onDisk;
      }
      if (declaration == Declaration.CHECK) {
        throw QueueDifferences.between(route, declared);
      }
      return replace(entry, route);
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
    int number = ++lastNumber;
    JobStorage storage = commits == null ? null : new JobStorage(commits, broker.clock(), number);
    CompletionStage<Void> onDisk =
        storage == null ? Parcel.DONE : storage.apply(List.of(storage.declare(route)));
    Entry entry = entry(route, number, onDisk);
    entries.put(route.id(), entry); // after its step, so that no job's step comes before it
    route.source().ifPresent(topic -> hub.add(entry.queue, topic));
    return entry;
  }

  private CompletionStage<Void> replace(Entry entry, Route.Queue route) {
    JobQueue queue = entry.queue;
    String before = queue.route().source().orElse(null);
    String after = route.source().orElse(null);
    JobStorage storage = entry.storage;
    CompletionStage<Void> onDisk =
        storage == null ? Parcel.DONE : storage.apply(List.of(storage.declare(route)));
    queue.redeclare(route);
    if (before != null && after != null && !before.equals(after)) {
      hub.move(queue, before, after);
    }
    entries.put(route.id(), new Entry(queue, storage, onDisk));
    return onDisk;
  }

  /** Deletes a queue or group. */
  CompletionStage<Void> delete(String id) {
    Entry entry;
    CompletionStage<Void> onDisk = Parcel.DONE;
    synchronized (lock) {
      entry = entries.remove(id);
      if (entry == null) {
        return onDisk;
      }
      JobQueue queue = entry.queue;
      queue.route().source().ifPresent(topic -> hub.remove(queue, topic));
      JobStorage storage = entry.storage;
      if (storage != null) {
        onDisk = storage.apply(List.of(storage.delete()));
      }
    }
    entry.queue.end(new MissingAddressException("queue " + id + " was deleted"));
    return onDisk;
  }

  /** Ends all queues. */
  void close(BrokerAwayException cause) {
    synchronized (lock) {
      closed = cause;
    }
    entries.values().forEach(entry -> entry.queue.end(cause));
    entries.clear();
  }

  /** Returns all queues and groups. */
  Collection<JobQueue> all() {
    return entries.values().stream().map(Entry::queue).toList();
  }

  /** A queue, its part of the store, and the stage of its declaration. */
  private record Entry(
      JobQueue queue, @Nullable JobStorage storage, CompletionStage<Void> onDisk) {}
}
