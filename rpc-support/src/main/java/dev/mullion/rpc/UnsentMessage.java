package dev.mullion.rpc;

import java.io.IOException;
import java.io.InputStream;

/**
 * In place of a message whose marshaller has thrown: it takes that to where its call can be ended.
 */
final class UnsentMessage extends InputStream {
  private final Throwable thrown;

  UnsentMessage(Throwable thrown) {
    this.thrown = thrown;
  }

  /** Throws it, declared or not. */
  RuntimeException rethrown() {
    UnsentMessage.<RuntimeException>sneak(thrown);
    throw new AssertionError(thrown);
  }

  /** Throws what need not be declared. */
  @SuppressWarnings({"unchecked", "DoNotCallSuggester"})
  static <E extends Throwable> void sneak(Throwable thrown) throws E {
    throw (E) thrown;
  }

  @Override
  public int read() throws IOException {
    throw new IOException("message could not be made", thrown);
  }

  @Override
  public int read(byte[] target, int offset, int length) throws IOException {
    return read();
  }
}
