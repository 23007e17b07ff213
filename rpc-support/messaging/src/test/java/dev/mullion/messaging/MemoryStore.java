package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** A store in memory, for tests: it commits by itself or when told, and fails when told. */
final class MemoryStore implements Store {
  private final Map<Integer, Queue> queues = new HashMap<>(); // what was applied
  private final List<Change> waiting = new ArrayList<>();
  final List<Step> committed = new ArrayList<>();
  final Map<Long, Job> marks = new HashMap<>();
  boolean held; // whether changes wait for commit()
  int failAfter = Integer.MAX_VALUE; // changes
  boolean unreadable;
  volatile @Nullable Error error;

  private record Change(List<Step> steps, CompletableFuture<Void> done) {}

  /** One queue. */
  private static final class Queue {
    StoredQueue declaration;
    final TreeMap<Long, Job> jobs = new TreeMap<>();
    final Map<Long, Stored> messages = new HashMap<>();
    final TreeMap<Long, StoredLetter> letters = new TreeMap<>();

    Queue(StoredQueue declaration) {
      this.declaration = declaration;
    }
  }

  @Override
  public synchronized List<Contents> load() {
    List<Contents> all = new ArrayList<>();
    for (Queue queue : queues.values()) {
      List<Job> jobs = new ArrayList<>();
      for (Job job : queue.jobs.values()) {
        boolean lost = marks.containsKey(job.number());
        jobs.add(new Job(
            job.number(),
            job.failures(),
            job.losses() + (lost ? 1 : 0),
            job.dueMillis(),
            job.expiresMillis(),
            job.bytes(),
            job.key()));
      }
      all.add(new Contents(queue.declaration, jobs, List.copyOf(queue.letters.keySet())));
    }
    return all;
  }

  @Override
  public CompletionStage<Void> apply(List<Step> steps) {
    CompletableFuture<Void> done = new CompletableFuture<>();
    synchronized (this) {
      if (failAfter <= 0) {
        done.completeExceptionally(new StoreException("disk full, on purpose"));
        return done;
      }
      failAfter--;
      steps.forEach(this::apply);
      committed.addAll(steps);
      if (held) {
        waiting.add(new Change(steps, done));
        return done;
      }
    }
    done.complete(null);
    return done;
  }

  /** Completes what waits. */
  void commit() {
    List<Change> all;
    synchronized (this) {
      all = List.copyOf(waiting);
      waiting.clear();
    }
    all.forEach(change -> change.done.complete(null));
  }

  private void apply(Step step) {
    if (step instanceof Step.Declare declare) {
      queues.computeIfAbsent(declare.queue().number(), number -> new Queue(declare.queue()))
              .declaration =
          declare.queue();
    } else if (step instanceof Step.DeleteQueue delete) {
      queues.remove(delete.queue());
    } else if (step instanceof Step.AddJob add) {
      queue(add.queue()).jobs.put(add.job().number(), add.job());
      queue(add.queue()).messages.put(add.job().number(), new Stored(add.address(), add.message()));
    } else if (step instanceof Step.UpdateJob update) {
      queue(update.queue()).jobs.replace(update.job().number(), update.job());
    } else if (step instanceof Step.RemoveJob remove) {
      queue(remove.queue()).jobs.remove(remove.number());
    } else if (step instanceof Step.BuryJob bury) {
      Queue queue = queue(bury.queue());
      if (queue.jobs.remove(bury.number()) != null) {
        Stored stored = requireNonNull(queue.messages.get(bury.number()));
        queue.letters.put(
            bury.letter(),
            new StoredLetter(
                stored.address(),
                new DeadLetter(
                    stored.message(),
                    queue.declaration.declaration().name(),
                    bury.reason(),
                    bury.error(),
                    bury.deliveryCount(),
                    java.time.Instant.ofEpochMilli(bury.diedMillis()))));
      }
    } else if (step instanceof Step.AddDeadLetter add) {
      queue(add.queue()).letters.put(add.number(), new StoredLetter(add.address(), add.letter()));
    } else if (step instanceof Step.RemoveDeadLetter remove) {
      queue(remove.queue()).letters.remove(remove.number());
    }
  }

  private Queue queue(int number) {
    return requireNonNull(queues.get(number), "queue");
  }

  @Override
  public synchronized Stored readJob(int queue, long number) throws MessagingException {
    if (unreadable) {
      throw new StoreException("unreadable, on purpose");
    }
    if (error != null) {
      throw error;
    }
    return requireNonNull(queue(queue).messages.get(number), "job");
  }

  @Override
  public synchronized StoredLetter readDeadLetter(int queue, long number)
      throws MessagingException {
    StoredLetter letter = queue(queue).letters.get(number);
    if (letter == null) {
      throw new StoreException("no letter " + number);
    }
    return letter;
  }

  @Override
  public synchronized void begun(int queue, Job job) {
    marks.put(job.number(), job);
  }

  @Override
  public synchronized void ended(int queue, long number) {
    marks.remove(number);
  }

  @Override
  public void close() {
    commit();
  }
}
