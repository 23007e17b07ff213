package dev.mullion.messaging;

import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A file on the disk. Reads may come from any thread, and an interrupt neither fails them nor
 * closes the file, as it does with a channel's reads; so each of a few handles serves one at a
 * time. All else comes from one thread, which nobody interrupts.
 */
final class DiskFile implements BlockFile {
  private static final int READERS = 4; // a power of two
  private static final int SLICE = 1 << 18; // the JDK keeps a direct buffer of the largest write

  private final FileChannel channel;
  private final RandomAccessFile writer;
  private final RandomAccessFile[] readers = new RandomAccessFile[READERS];
  private final ReentrantLock[] locks = new ReentrantLock[READERS];

  DiskFile(File file, boolean readOnly) throws IOException {
    writer = new RandomAccessFile(file, readOnly ? "r" : "rw");
    channel = writer.getChannel();
    try {
      for (int i = 0; i < READERS; i++) {
        locks[i] = new ReentrantLock();
        readers[i] = new RandomAccessFile(file, "r");
      }
    } catch (IOException e) {
      close();
      throw e;
    }
  }

  @Override
  public void read(long position, byte[] target, int offset, int length) throws IOException {
    int reader = (int) Thread.currentThread().getId() & (READERS - 1);
    locks[reader].lock();
    try {
      readers[reader].seek(position);
      readers[reader].readFully(target, offset, length);
    } finally {
      locks[reader].unlock();
    }
  }

  @Override
  public void write(long position, byte[] source, int offset, int length) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(source, offset, length);
    int end = offset + length;
    long to = position;
    while (bytes.position() < end) {
      bytes.limit(Math.min(end, bytes.position() + SLICE));
      to += channel.write(bytes, to);
    }
  }

  @Override
  public void truncate(long size) throws IOException {
    channel.truncate(size);
  }

  @Override
  public void sync() throws IOException {
    channel.force(false); // the size, too, as far as it is needed to read the data
  }

  @Override
  public long size() throws IOException {
    return channel.size();
  }

  @Override
  public void close() throws IOException {
    writer.close();
    for (RandomAccessFile reader : readers) {
      if (reader != null) {
        reader.close();
      }
    }
  }
}
