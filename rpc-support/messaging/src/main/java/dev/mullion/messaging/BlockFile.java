package dev.mullion.messaging;

import java.io.Closeable;
import java.io.IOException;

/** The file under a store, as it writes, reads and syncs it. */
interface BlockFile extends Closeable {

  /** Reads bytes; the end of the file before that is an {@link java.io.EOFException}. */
  void read(long position, byte[] target, int offset, int length) throws IOException;

  /** Writes bytes, and extends the file if needed. */
  void write(long position, byte[] source, int offset, int length) throws IOException;

  /** Cuts the file. */
  void truncate(long size) throws IOException;

  /** Returns once all that was written is on the disk. */
  void sync() throws IOException;

  /** Returns the size. */
  long size() throws IOException;
}
