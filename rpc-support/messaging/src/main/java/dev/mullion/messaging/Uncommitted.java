package dev.mullion.messaging;

import dev.mullion.messaging.StoreMaps.Kind;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** Messages and dead letters that were applied and wait for their commit, for readers. */
final class Uncommitted {
  private final Map<Entry, byte[]> bytes = new ConcurrentHashMap<>();
  private final Map<Entry, StoreEdit.Bury> buried = new ConcurrentHashMap<>();

  private record Entry(int queue, long number, Kind kind) {}

  /** Shows what a change adds. */
  void add(StoreChange change) {
    for (StoreEdit edit : change.edits()) {
      if (edit instanceof StoreEdit.Put put && put.kind() != Kind.JOB) {
        bytes.put(entry(put), put.bytes());
      } else if (edit instanceof StoreEdit.Bury bury) {
        buried.put(entry(bury), bury);
      }
    }
  }

  /** Forgets what a change added: it is in the maps now, or failed. */
  void remove(StoreChange change) {
    for (StoreEdit edit : change.edits()) {
      if (edit instanceof StoreEdit.Put put && put.kind() != Kind.JOB) {
        bytes.remove(entry(put), put.bytes());
      } else if (edit instanceof StoreEdit.Bury bury) {
        buried.remove(entry(bury), bury);
      }
    }
  }

  private static Entry entry(StoreEdit.Put put) {
    return new Entry(put.queue(), put.number(), put.kind());
  }

  private static Entry entry(StoreEdit.Bury bury) {
    return new Entry(bury.queue(), bury.letter(), Kind.DEAD_LETTER);
  }

  /** Returns an entry from here or from the maps; null if it is in neither. */
  byte @Nullable [] read(int queue, long number, Kind kind, StoreMaps maps) throws StoreException {
    Entry entry = new Entry(queue, number, kind);
    byte[] here = bytes.get(entry);
    if (here != null) {
      return here;
    }
    StoreEdit.Bury bury = buried.get(entry);
    byte[] message = bury == null ? null : read(queue, bury.number(), Kind.MESSAGE, maps);
    if (bury != null && message != null) {
      return StoreCodec.letter(maps.name(queue), bury, message);
    }
    return maps.read(queue, number, kind);
  }
}
