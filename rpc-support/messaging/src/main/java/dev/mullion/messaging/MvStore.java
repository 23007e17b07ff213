package dev.mullion.messaging;

import dev.mullion.messaging.StoreMaps.Kind;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A store in a directory, on H2's MVStore. Its one thread takes all changes that wait, applies them
 * to the maps, commits and syncs once, and completes their stages; so the more wait, the more share
 * a sync. When there is nothing to do, and now and then when there is, it compacts the file for a
 * moment.
 *
 * <p>After a failure (a full disk, an I/O error) all changes fail, those that wait and those that
 * come; what is on disk can still be read if the disk allows. The engine has to be started again.
 *
 * <p>No type of MVStore is used here, so that the class loads without it.
 */
final class MvStore implements Store {
  private static final Logger LOGGER = System.getLogger(MvStore.class.getPackageName());
  private static final long MOST_BYTES = 8 << 20; // of one commit
  private static final int COMMITS_BETWEEN_CHECKS = 64;
  private static final int IDLE_MILLIS = 100;

  private final StorePlace place;
  private final MessagingClock clock;
  private final StoreMarks marks;
  private final Thread thread = new Thread(this::run, "mullion-store");
  private final Uncommitted uncommitted = new Uncommitted();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition work = lock.newCondition();
  private final ArrayDeque<StoreChange> waiting = new ArrayDeque<>(); // guarded by lock
  private @Nullable StoreException failure; // guarded by lock
  private boolean closing; // guarded by lock
  private volatile StoreMaps maps;
  private volatile boolean loaded;
  private boolean worthCompacting = true; // of the thread
  private int turnsInVain; // of the thread: turns of compacting without a gain
  private int commits; // of the thread

  /** Where a store's files are; tests have others than a directory. */
  interface StorePlace {
    /** Returns the path for messages. */
    Path path();

    /** Opens the file. */
    BlockFile open(boolean readOnly) throws IOException;

    /** Gives the place free for others. */
    void release();
  }

  MvStore(StorePlace place, StoreMaps maps, StoreMarks marks, MessagingClock clock) {
    this.place = place;
    this.maps = maps;
    this.marks = marks;
    this.clock = clock;
    thread.setDaemon(true);
    thread.start();
  }

  /**
   * Opens the store of a directory, which is created if it is absent.
   *
   * @throws StoreException if the directory is in use, or cannot be used; the text has the file
   * @throws IllegalStateException if H2's MVStore is not there
   */
  static MvStore open(Path directory, MessagingClock clock) throws StoreException {
    checkLibrary("directory: " + directory);
    boolean interrupted = Thread.interrupted(); // would close the files' channels
    try {
      return StoreDirectory.open(directory, clock);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /**
   * Checks that H2's MVStore is there.
   *
   * @param user what needs it, for the text
   */
  static void checkLibrary(String user) {
    OptionalLibrary.check(
        user, "org.h2.mvstore.MVStore", "com.h2database:h2-mvstore", "com.h2database.mvstore");
  }

  @Override
  public List<Contents> load() throws MessagingException {
    Map<Integer, Map<Long, Integer>> begun = new HashMap<>();
    for (StoreMarks.Mark mark : marks.left()) {
      begun.computeIfAbsent(mark.queue(), q -> new HashMap<>()).put(mark.number(), mark.counts());
    }
    List<Step> losses = new ArrayList<>();
    List<Contents> all = new ArrayList<>();
    for (StoredQueue queue : maps.queues()) {
      Contents contents = maps.contents(queue);
      Map<Long, Integer> lost = begun.getOrDefault(queue.number(), Map.of());
      contents.jobs().replaceAll(job -> checked(queue, job, lost.get(job.number()), losses));
      all.add(contents);
    }
    if (!losses.isEmpty()) {
      try {
        apply(losses).toCompletableFuture().join(); // one commit, which ends by itself
      } catch (CompletionException e) {
        throw new StoreException("losses cannot be counted: " + e.getMessage(), e);
      }
    }
    marks.clear();
    loaded = true;
    return all;
  }

  private Job checked(
      StoredQueue queue, Job job, @Nullable Integer countsWhenBegun, List<Step> losses) {
    boolean lost = countsWhenBegun != null && countsWhenBegun == job.failures() + job.losses();
    long due = Math.min(job.dueMillis(), latestDue(queue, job));
    if (!lost && due == job.dueMillis()) {
      return job;
    }
    Job changed = new Job(
        job.number(),
        job.failures(),
        job.losses() + (lost ? 1 : 0),
        due,
        job.expiresMillis(),
        job.bytes(),
        job.key());
    if (lost) {
      losses.add(new Step.UpdateJob(queue.number(), changed));
    }
    return changed;
  }

  /** Returns until when a job may wait: a clock that was set back must not keep it for longer. */
  private long latestDue(StoredQueue queue, Job job) {
    int deliveries = Math.max(1, job.failures() + job.losses());
    Duration delay = queue.declaration().redelivery().delayAfter(deliveries);
    try {
      return Math.addExact(clock.currentTimeMillis(), delay.toMillis());
    } catch (ArithmeticException e) {
      return Long.MAX_VALUE;
    }
  }

  @Override
  public CompletionStage<Void> apply(List<Step> steps) {
    StoreChange change = StoreChange.of(steps);
    uncommitted.add(change);
    StoreException refused;
    lock.lock();
    try {
      refused = closing ? new StoreException(place.path() + " is closed") : failure;
      if (refused == null) {
        waiting.add(change);
        work.signal();
      }
    } finally {
      lock.unlock();
    }
    if (refused != null) {
      uncommitted.remove(change);
      change.done().completeExceptionally(refused);
    }
    return change.done();
  }

  @Override
  public Stored readJob(int queue, long number) throws MessagingException {
    return read(queue, number, Kind.MESSAGE, StoreCodec::stored);
  }

  @Override
  public StoredLetter readDeadLetter(int queue, long number) throws MessagingException {
    return read(queue, number, Kind.DEAD_LETTER, StoreCodec::letter);
  }

  private <T> T read(int queue, long number, Kind kind, Function<byte[], T> decode)
      throws StoreException {
    byte[] bytes = uncommitted.read(queue, number, kind, maps);
    String which = kind.text + " " + number + " of queue " + queue;
    if (bytes == null) {
      throw new StoreException(place.path() + " has no " + which);
    }
    try {
      return decode.apply(bytes);
    } catch (RuntimeException e) {
      throw StoreMaps.unusable(place.path(), "is damaged at " + which, e);
    }
  }

  @Override
  public void begun(int queue, Job job) {
    marks.put(queue, job.number(), job.failures() + job.losses());
  }

  @Override
  public void ended(int queue, long number) {
    marks.remove(queue, number);
  }

  private void run() {
    boolean open = true;
    while (open) {
      try {
        open = turn();
      } catch (Throwable e) { // nothing may wait for a thread that is gone
        fail(e, List.of());
      }
    }
    end();
  }

  private boolean turn() {
    List<StoreChange> batch = take();
    if (batch == null) {
      return false;
    }
    if (batch.isEmpty()) {
      compact();
    } else {
      commit(batch);
    }
    return true;
  }

  /** Waits for changes; empty if it is time to compact, null if the store is closed. */
  private @Nullable List<StoreChange> take() {
    lock.lock();
    try {
      long idleNanos = TimeUnit.MILLISECONDS.toNanos(IDLE_MILLIS);
      while (waiting.isEmpty() && !closing) {
        if (!worthCompacting) {
          work.awaitUninterruptibly();
        } else if (idleNanos <= 0) {
          return List.of();
        } else {
          idleNanos = work.awaitNanos(idleNanos);
        }
      }
      List<StoreChange> batch = new ArrayList<>();
      long bytes = 0;
      while (!waiting.isEmpty() && bytes < MOST_BYTES) {
        StoreChange next = waiting.remove();
        bytes += next.bytes();
        batch.add(next);
      }
      return batch.isEmpty() ? null : batch;
    } catch (InterruptedException e) {
      return List.of(); // nobody who knows this thread interrupts it; and if so, it has no meaning
    } finally {
      lock.unlock();
    }
  }

  private void commit(List<StoreChange> batch) {
    try {
      for (StoreChange change : batch) {
        change.edits().forEach(maps::apply);
      }
      maps.commit();
      marks.synced(maps.version());
    } catch (Throwable e) {
      fail(e, batch);
      return;
    }
    for (StoreChange change : batch) {
      uncommitted.remove(change);
      change.done().complete(null);
    }
    worthCompacting = true;
    turnsInVain = 0;
    if (++commits % COMMITS_BETWEEN_CHECKS == 0) {
      compact();
    }
  }

  /** Compacts for a moment, and finds out whether to go on when there is time. */
  private void compact() {
    long size = maps.size();
    worthCompacting = false;
    if (maps.isSparse()) {
      maps.compact();
      marks.synced(maps.version());
      turnsInVain = maps.size() < size ? 0 : turnsInVain + 1;
      worthCompacting = turnsInVain < maps.turnsForAll();
    }
  }

  /** Fails all changes from now on; what is on disk may still be readable. */
  private void fail(Throwable cause, List<StoreChange> batch) {
    StoreException failed = StoreMaps.unusable(
        place.path(), "cannot be written, so the engine has to be started again", cause);
    List<StoreChange> all = new ArrayList<>(batch);
    worthCompacting = false;
    lock.lock();
    try {
      failure = failed;
      all.addAll(waiting);
      waiting.clear();
    } finally {
      lock.unlock();
    }
    try {
      LOGGER.log(Level.ERROR, failed.getMessage(), cause);
      maps.closeImmediately();
      maps = StoreMaps.open(place.open(true), place.path(), true, 0);
    } catch (Throwable e) { // Error too: nothing may wait for ever
      LimitedLog.warn("store", place.path() + " cannot be read either", e);
    } finally {
      for (StoreChange change : all) {
        uncommitted.remove(change);
        change.done().completeExceptionally(failed);
      }
    }
  }

  private void end() {
    try {
      if (isFailed()) {
        maps.closeImmediately();
      } else {
        maps.close();
        marks.synced(maps.version());
      }
    } catch (StoreException e) {
      LOGGER.log(Level.WARNING, "what was acknowledged is on disk, but " + e.getMessage(), e);
    } finally {
      if (loaded) {
        marks.clear();
      }
      place.release();
    }
  }

  private boolean isFailed() {
    lock.lock();
    try {
      return failure != null;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void close() {
    lock.lock();
    try {
      closing = true;
      work.signal();
    } finally {
      lock.unlock();
    }
    boolean interrupted = false;
    while (thread != Thread.currentThread() && thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true; // one commit and a short compaction, which end by themselves
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
