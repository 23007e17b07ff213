package dev.mullion.framing.testing;

import dev.mullion.framing.LengthEncoding;

/** A length of one byte. Tests say how it is read and written. */
public interface OneByteLength extends LengthEncoding {
  @Override
  default int minWidth() {
    return 1;
  }

  @Override
  default int maxWidth() {
    return 1;
  }
}
