package dev.mullion.messaging;

import dev.mullion.messaging.Store.Contents;
import dev.mullion.messaging.Store.Job;
import dev.mullion.messaging.Store.StoredQueue;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.h2.mvstore.Cursor;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;
import org.h2.mvstore.type.ByteArrayDataType;
import org.h2.mvstore.type.IntegerDataType;
import org.h2.mvstore.type.LongDataType;
import org.jspecify.annotations.Nullable;

/**
 * The maps in MVStore: {@code queues} by number; and for each queue {@code jobs.N} with what is
 * known of its jobs, {@code messages.N} and {@code dead.N}, all by their numbers. Only the maps of
 * jobs are read when a store opens. {@code turns} has a number that changes when nothing else does,
 * since only a commit with a change is one. Reads may come from any thread, all else from one.
 */
final class StoreMaps {
  static final int FORMAT = 1;
  private static final String QUEUES = "queues";
  private static final String TURNS = "turns";
  private static final long CLOSE_NANOS = 200_000_000;
  private static final int COMPACT_BYTES = 2 << 20;
  private static final long SMALL = 1 << 20; // a file that is not worth compacting
  private static final int FULL_ENOUGH = 60; // percent
  private static final int KEPT_VERSIONS = 5; // MVStore's default: space is reused after as many
  private static final int GOAL = 90; // percent
  private static final int EACH = 101; // percent, so above each chunk's

  private final Path path;
  private final StoreFile file;
  private final MVStore store;
  private final MVMap<Integer, byte[]> queues;
  private final MVMap<Integer, Long> turns;
  private final Map<Integer, Queue> byNumber = new ConcurrentHashMap<>();

  private record Queue(
      String name,
      MVMap<Long, byte[]> jobs,
      MVMap<Long, byte[]> messages,
      MVMap<Long, byte[]> dead) {

    MVMap<Long, byte[]> of(Kind kind) {
      return switch (kind) {
        case JOB -> jobs;
        case MESSAGE -> messages;
        case DEAD_LETTER -> dead;
      };
    }
  }

  /** What an entry is. */
  enum Kind {
    JOB("job"),
    MESSAGE("message"),
    DEAD_LETTER("dead letter");

    final String text;

    Kind(String text) {
      this.text = text;
    }
  }

  private StoreMaps(Path path, StoreFile file, MVStore store) {
    this.path = path;
    this.file = file;
    this.store = store;
    store.setRetentionTime(0); // each commit is synced before the next begins
    queues = store.openMap(QUEUES, builder(IntegerDataType.INSTANCE, ByteArrayDataType.INSTANCE));
    turns = store.openMap(TURNS, builder(IntegerDataType.INSTANCE, LongDataType.INSTANCE));
  }

  private static <K, V> MVMap.Builder<K, V> builder(
      org.h2.mvstore.type.DataType<K> keys, org.h2.mvstore.type.DataType<V> values) {
    return new MVMap.Builder<K, V>().keyType(keys).valueType(values);
  }

  /** Makes a new, empty store and closes it. */
  static void create(BlockFile blocks, Path path) throws StoreException {
    StoreMaps maps = open(blocks, path, false, 0, true);
    try {
      maps.store.setStoreVersion(FORMAT);
      maps.commit();
    } finally {
      maps.close();
    }
  }

  /**
   * Opens a store that was created; closes the file if it cannot.
   *
   * @param syncedVersion the newest version known to be on disk, so a store with less is damaged
   */
  static StoreMaps open(BlockFile blocks, Path path, boolean readOnly, long syncedVersion)
      throws StoreException {
    return open(blocks, path, readOnly, syncedVersion, false);
  }

  private static StoreMaps open(
      BlockFile blocks, Path path, boolean readOnly, long syncedVersion, boolean create)
      throws StoreException {
    boolean done = false;
    try {
      if (!create && blocks.size() == 0) {
        throw new StoreException(path + " is empty, so it was truncated (expected: a store)");
      }
      StoreFile file = new StoreFile(blocks, path.toString(), readOnly);
      MVStore store = new MVStore.Builder()
          .adoptFileStore(file)
          .autoCommitDisabled()
          .autoCommitBufferSize(0) // or a large change would be committed in parts
          .open();
      if (!create) {
        check(path, file, store, syncedVersion);
      }
      file.opened();
      StoreMaps maps = new StoreMaps(path, file, store);
      maps.queues();
      if (!readOnly && !create) {
        maps.begin();
      }
      done = true;
      return maps;
    } catch (RuntimeException | IOException e) {
      throw e instanceof StoreException known ? known : unusable(path, "cannot be opened", e);
    } finally {
      if (!done) {
        closeQuietly(blocks);
      }
    }
  }

  private static void check(Path path, StoreFile file, MVStore store, long syncedVersion)
      throws StoreException {
    int format = store.getStoreVersion();
    if (format == 0 && file.isOfThisLibrary()) {
      throw new StoreException(path + " is damaged: no complete version is left");
    }
    if (format == 0 || !store.hasMap(QUEUES)) {
      throw new StoreException(path + " is an MVStore file, but not one of this library");
    }
    if (format != FORMAT) {
      throw new StoreException(path + " has format version " + format + " (expected: " + FORMAT
          + "); open it with the version of this library that wrote it");
    }
    if (store.getCurrentVersion() < syncedVersion) {
      throw new StoreException(
          path + " is damaged: its newest complete version is " + store.getCurrentVersion()
              + ", and " + syncedVersion + " was on disk; restore the directory from a backup, or"
              + " remove the file marks to accept what is left");
    }
  }

  private static void closeQuietly(BlockFile blocks) {
    try {
      blocks.close();
    } catch (IOException e) {
      System.getLogger(StoreMaps.class.getPackageName())
          .log(System.Logger.Level.DEBUG, "a file that cannot be used cannot be closed either", e);
    }
  }

  /**
   * Puts the chunks of a commit that did not complete behind, if there was one: two commits later
   * no search for the newest version can find them.
   */
  private void begin() {
    for (int i = 0; i < 2 && !file.wasClean(); i++) {
      touch();
    }
  }

  /** Returns the newest version. */
  long version() {
    return store.getCurrentVersion();
  }

  /** Returns the file's size. */
  long size() {
    return file.size();
  }

  /** Opens the maps of all queues, and returns their declarations. */
  List<StoredQueue> queues() throws StoreException {
    List<StoredQueue> all = new ArrayList<>();
    MVStore.TxCounter use = store.registerVersionUsage();
    try {
      for (Cursor<Integer, byte[]> cursor = queues.cursor(null); cursor.hasNext(); ) {
        StoredQueue queue = StoreCodec.queue(cursor.next(), cursor.getValue());
        all.add(queue);
        open(queue);
      }
      return all;
    } catch (RuntimeException e) {
      throw unusable(path, "is damaged: queues cannot be read", e);
    } finally {
      store.deregisterVersionUsage(use);
    }
  }

  private void open(StoredQueue queue) {
    int number = queue.number();
    byNumber.put(
        number,
        new Queue(
            queue.declaration().name(),
            open("jobs.", number),
            open("messages.", number),
            open("dead.", number)));
  }

  private MVMap<Long, byte[]> open(String prefix, int number) {
    return store.openMap(
        prefix + number, builder(LongDataType.INSTANCE, ByteArrayDataType.INSTANCE));
  }

  /** Reads what is known of a queue's jobs, in the order of their numbers, and its dead letters. */
  Contents contents(StoredQueue queue) throws StoreException {
    Queue maps = byNumber.get(queue.number());
    if (maps == null) {
      throw new StoreException(path + " has no queue " + queue.number());
    }
    MVStore.TxCounter use = store.registerVersionUsage();
    try {
      List<Job> jobs = new ArrayList<>(maps.jobs.size());
      for (Cursor<Long, byte[]> cursor = maps.jobs.cursor(null); cursor.hasNext(); ) {
        long number = cursor.next();
        jobs.add(StoreCodec.job(number, cursor.getValue()));
      }
      List<Long> dead = new ArrayList<>();
      maps.dead.keyIterator(null).forEachRemaining(dead::add);
      return new Contents(queue, jobs, dead);
    } catch (RuntimeException e) {
      String name = queue.declaration().id();
      throw unusable(path, "is damaged: the jobs of " + name + " cannot be read", e);
    } finally {
      store.deregisterVersionUsage(use);
    }
  }

  /** Reads an entry; null if there is none. */
  byte @Nullable [] read(int queue, long number, Kind kind) throws StoreException {
    Queue maps = byNumber.get(queue);
    if (maps == null) {
      return null;
    }
    MVStore.TxCounter use = store.registerVersionUsage(); // so that no commit reuses its chunk
    try {
      return maps.of(kind).get(number);
    } catch (RuntimeException e) {
      throw unusable(path, "cannot be read at number " + number + " of queue " + queue, e);
    } finally {
      store.deregisterVersionUsage(use);
    }
  }

  /** Applies a step in memory; one for a queue that is not declared has no effect. */
  void apply(StoreEdit edit) {
    if (edit instanceof StoreEdit.Declare declare) {
      queues.put(declare.queue(), declare.bytes());
      open(StoreCodec.queue(declare.queue(), declare.bytes()));
      return;
    }
    Queue maps = byNumber.get(edit.queue());
    if (maps == null) {
      return;
    }
    if (edit instanceof StoreEdit.Put put) {
      maps.of(put.kind()).put(put.number(), put.bytes());
    } else if (edit instanceof StoreEdit.Remove remove) {
      maps.of(remove.kind()).remove(remove.number());
    } else if (edit instanceof StoreEdit.Replace replace) {
      maps.of(replace.kind()).replace(replace.number(), replace.bytes());
    } else if (edit instanceof StoreEdit.Bury bury) {
      bury(maps, bury);
    } else if (edit instanceof StoreEdit.Delete delete) {
      delete(delete.queue(), maps);
    }
  }

  private void bury(Queue maps, StoreEdit.Bury bury) {
    byte[] message = maps.messages.remove(bury.number());
    if (message != null) {
      maps.jobs.remove(bury.number());
      maps.dead.put(bury.letter(), StoreCodec.letter(maps.name, bury, message));
    }
  }

  /** Returns a queue's name; empty if it is not declared. */
  String name(int queue) {
    Queue maps = byNumber.get(queue);
    return maps == null ? "" : maps.name;
  }

  private void delete(int queue, Queue maps) {
    byNumber.remove(queue);
    queues.remove(queue);
    store.removeMap(maps.jobs);
    store.removeMap(maps.messages);
    store.removeMap(maps.dead);
  }

  /** Commits and syncs: what was applied is on disk when this returns. */
  void commit() {
    store.commit();
    store.sync();
  }

  /** Returns whether compacting would give back a good part of the file. */
  boolean isSparse() {
    return size() > SMALL && (areChunksSparse() || file.getFillRate() < FULL_ENOUGH);
  }

  private boolean areChunksSparse() {
    return file.getChunksFillRate() < FULL_ENOUGH;
  }

  /** Returns how many turns of compacting write all that is in use, and give free what was not. */
  long turnsForAll() {
    return KEPT_VERSIONS + size() * file.getFillRate() / 100 / COMPACT_BYTES;
  }

  /**
   * Writes again what is in use of some chunks, those with the most waste first, into gaps near the
   * file's front. MVStore's own way moves whole chunks, too; it is not used, as a torn copy of one
   * can be taken for the chunk.
   */
  void compact() {
    touch(); // gives free what has lost its use
    file.compact(areChunksSparse() ? GOAL : EACH, COMPACT_BYTES);
    commit();
    touch();
  }

  private void touch() {
    turns.put(0, turns.getOrDefault(0, 0L) + 1);
    commit();
  }

  void close() throws StoreException {
    try {
      long stop = System.nanoTime() + CLOSE_NANOS;
      while (isSparse() && System.nanoTime() < stop) {
        compact();
      }
      store.close();
    } catch (RuntimeException e) {
      throw unusable(path, "cannot be closed", e);
    }
  }

  void closeImmediately() {
    store.closeImmediately();
  }

  static StoreException unusable(Path path, String what, Throwable cause) {
    return new StoreException(path + " " + what + ": " + StoreDirectory.reason(cause), cause);
  }
}
