package dev.mullion.rpc;

import java.io.IOException;
import java.io.InputStream;

/**
 * Replaces a message whose marshaller has thrown, and carries the exception to where the call can
 * be ended.
 */
final class UnsentMessage extends InputStream {
  private final Throwable thrown;

  UnsentMessage(Throwable thrown) {
    this.thrown = thrown;
  }

  /** Throws the exception, declared or not. */
  RuntimeException rethrown() {
    UnsentMessage.<RuntimeException>sneak(thrown);
    throw new AssertionError(thrown);
  }

  /** Throws a checked exception without declaring it. */
  @SuppressWarnings({"unchecked", "DoNotCallSuggester"})
  static <E extends Throwable> void sneak(Throwable thrown) throws E {
    throw (E) thrown;
  }

  @Override
  public int read() throws IOException {
    throw new IOException("message could not be serialized", thrown);
  }

  @Override
  public int read(byte[] target, int offset, int length) throws IOException {
    return read();
  }
}
