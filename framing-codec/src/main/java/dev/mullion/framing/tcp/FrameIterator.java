package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/** Iterates over the frames received on a connection. */
final class FrameIterator implements Iterator<byte[]> {
  /** The source of the frames. */
  @FunctionalInterface
  interface Source {
    byte @Nullable [] receive() throws IOException;
  }

  private final Source source;
  private byte @Nullable [] next;

  FrameIterator(Source source) {
    this.source = source;
  }

  @Override
  public boolean hasNext() {
    try {
      if (next == null) {
        next = source.receive();
      }
      return next != null;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public byte[] next() {
    if (!hasNext()) {
      throw new NoSuchElementException("connection has ended");
    }
    byte[] frame = requireNonNull(next, "next");
    next = null;
    return frame;
  }
}
